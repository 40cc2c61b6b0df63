package lake_test

import "testing"

// What holds of a lake in a folder holds of one in an object store.
func TestObjectStore(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"Flush": TestFlush, "Compact": TestHoursAreCompactedWhenClosed, "ADayTurns": TestADayTurns, "Poison": TestPoison,
		"PurgeForSpace": TestPurgeForSpace, "PurgeOfSanitized": TestPurgeOfSanitized, "PurgeUnderARead": TestPurgeUnderARead,
		"ResendAcrossTheHour": TestResendAcrossTheHour, "RewriteReplaced": TestRewriteReplaced, "HourIsHeld": TestHourIsHeld, "EndReads": TestEndReads,
		"Rewrite": TestRewrite, "Drop": TestDrop, "OwnersTakeTurns": TestOwnersTakeTurns,
	} {
		t.Run(name, test)
	}
}
