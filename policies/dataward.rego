# METADATA
# scope: subpackages
# title: Controls over personal data in a store
# description: Types the input and the reference tables for every package below, so that a misspelt field is a build error and not an undefined value.
# schemas:
#   - input: schema.input
#   - data.dataward.reference: schema.reference
package dataward
