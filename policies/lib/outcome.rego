# METADATA
# title: What a control says
# description: >-
#   A control yields a set of facts. Each is {outcome, subject, code, args}: the outcome Pass, Fail, Unknown or
#   NotApplicable; the subject a store or one collection of it; a code from the reasonCodes of the control; args only
#   scalars or sorted arrays, because sets come out of the compiled policy in hash order. The words shown to people
#   are joined by the host.
# custom:
#   reasonCodes:
#     FACT_MISSING: {outcome: Unknown, message: "nothing is known yet about {facts}; check that the store is reachable with its observe credentials"}
#     FACT_STALE: {outcome: Unknown, message: "what was seen of {facts} at {observedAt:time} proves nothing outside that time and {validUntil:time}; wait for or repair the next observation"}
#     INPUT_MISSING: {outcome: Unknown, message: "{what} could not be read, so nothing is claimed about them"}
#     UNDECIDED: {outcome: Unknown, message: "the facts at hand neither prove nor disprove the control"}
package dataward.lib.outcome

store := {"namespace": input.store.namespace, "store": input.store.name}

collection(name) := {"namespace": input.store.namespace, "store": input.store.name, "collection": name}

pass(subject, code, args) := {"outcome": "Pass", "subject": subject, "code": code, "args": args}

fail(subject, code, args) := {"outcome": "Fail", "subject": subject, "code": code, "args": args}

unknown(subject, code, args) := {"outcome": "Unknown", "subject": subject, "code": code, "args": args}

not_applicable(code, args) := {"outcome": "NotApplicable", "subject": store, "code": code, "args": args}

# The last word of every control: finding nothing is not passing.
settle(found) := found if count(found) > 0

settle(found) := {unknown(store, "UNDECIDED", {})} if count(found) == 0
