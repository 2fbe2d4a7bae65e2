# METADATA
# title: Nothing in the store is undeclared
# description: A recent look at the store's own catalogue finds no table that no data map speaks about, no exemption past its review, and no database that no DataStore declares.
# custom:
#   id: ROPA-02
#   severity: high
#   facts: [coverage]
#   parameters:
#     scanInterval:
#       description: The catalogue is looked at no less often than this.
#       schema: {type: string, format: duration}
#       default: P1D
#       tighter: Lower
#   reasonCodes:
#     ALL_DECLARED: {outcome: Pass, message: "all {tables} tables are declared"}
#     UNCLASSIFIED_COLUMN: {outcome: Fail, message: "{count} tables or columns are declared neither as personal nor as non-personal data"}
#     UNDECLARED_STORE: {outcome: Fail, message: "databases of the same server that no DataStore declares: {databases}"}
#     EXEMPTION_EXPIRED: {outcome: Fail, message: "{count} tables are called non-personal on a word whose review date is over"}
#     PROBE_FAILED: {outcome: Unknown, message: "the inventory has no {missing}"}
#     SCAN_TOO_OLD: {outcome: Unknown, message: "the inventory is from {observedAt:time}, older than {interval:duration}"}
#     COUNTS_DISAGREE: {outcome: Unknown, message: "the inventory does not add up to its {tables} tables"}
#   refs:
#     gdpr: ["24(1)", "25(1)", "30(2)"]
#     iso27001: ["A.5.9", "A.5.12", "A.8.12"]
#     soc2: ["C1.1", "CC2.1"]
#     nist80053: ["CM-8", "CM-12", "CM-12(1)", "PM-5(1)"]
#   remediation: Declare the table in a data map, or state there why it is non-personal and when that is looked at again; declare the other databases as DataStores.
package dataward.controls.ropa.ropa_02

import data.dataward.lib.fact
import data.dataward.lib.outcome

facts := outcome.settle(found)

found contains reason if some reason in fact.unavailable("coverage")

found contains outcome.fail(outcome.store, "UNCLASSIFIED_COLUMN", {"count": fact.coverage.unclassified}) if {
	fact.coverage.unclassified > 0
}

found contains outcome.fail(outcome.store, "UNDECLARED_STORE", {"databases": sort(fact.coverage.undeclaredDatabases)}) if {
	count(fact.coverage.undeclaredDatabases) > 0
}

found contains outcome.fail(outcome.store, "EXEMPTION_EXPIRED", {"count": fact.coverage.overdueExemptions}) if {
	fact.coverage.overdueExemptions > 0
}

found contains outcome.unknown(outcome.store, "PROBE_FAILED", {"missing": missing}) if count(missing) > 0

found contains outcome.unknown(outcome.store, "SCAN_TOO_OLD", args) if {
	too_old
	args := {"observedAt": fact.coverage.observedAt, "interval": input.params.scanInterval}
}

found contains outcome.unknown(outcome.store, "COUNTS_DISAGREE", {"tables": fact.coverage.tables}) if adds_up == false

found contains outcome.pass(outcome.store, "ALL_DECLARED", {"tables": fact.coverage.tables}) if {
	fact.coverage.unclassified == 0
	fact.coverage.undeclaredDatabases == []
	fact.coverage.overdueExemptions == 0
	adds_up == true
	not too_old
}

too_old if fact.coverage.observedAt + input.params.scanInterval <= input.now

adds_up := fact.coverage.tables == ((fact.coverage.mapped + fact.coverage.nonPersonal) + fact.coverage.unclassified)

missing := fact.absent(fact.coverage, ["mapped", "nonPersonal", "overdueExemptions", "tables", "unclassified", "undeclaredDatabases"])
