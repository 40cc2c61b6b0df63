package gate

// howToSetUp is the setup page in a sentence, for programs.
const howToSetUp = "access is not set up yet: give ldap.urls in brine.yaml, or run brine user add; brine token setup on this machine gives a token that lasts an hour"
