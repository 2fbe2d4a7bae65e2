# METADATA
# title: Every example of every control
# description: >-
#   Each example changes the base input and says all that the control must then say, in any order. The same files are
#   run through the compiled policy by the tests of the host.
package dataward.examples_test

test_example[control][name] if {
	some group, control
	some name, example in data.controls[group][control].examples
	said(group, control, changed(example)) == {line | some line in example.want}
}

# An example file that is not found would otherwise be a test that cannot fail.
test_every_control_has_examples if {
	controls := {control | data.dataward.controls[_][control]; not endswith(control, "_test")}
	count(controls) > 0
	controls == {control | count(data.controls[_][control].examples) > 0}
}

changed(example) := json.remove(object.union(data.base, object.get(example, "set", {})), object.get(example, "without", []))

said(group, control, given) := {line(fact) |
	some fact in data.dataward.controls[group][control].facts with input as given
}

line(fact) := concat(" ", array.concat([fact.outcome, fact.code], [name | name := fact.subject.collection]))
