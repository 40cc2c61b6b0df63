package simulate

// step is one entry of an event stream, as it comes after the one before it.
type step struct {
	name  string
	stay  float64 // the share of people who get as far as this, of those at the step before
	wait  float64 // median of the time since the step before, in ms
	takes float64 // median of how long it takes, in ms; 0 where it takes no time of its own
}

// The stretches that paths are made of.
var (
	opening = []step{
		{"screen.rp_info", 1, 420, 0},
		{"screen.authenticate", 0.995, 210, 0},
		{"user.can_interact", 1, 18, 0},
	}
	knownEmail = []step{
		{"authenticate.enter_password", 0.99, 20, 0},
	}
	tryPassword = []step{
		{"authenticate.password_submitted", 0.93, 4800, 0},
		{"xhr_complete.POST/wsapi/authenticate_user", 1, 2, 520},
	}
	wrongPassword = []step{
		{"authenticate.password_fail", 1, 15, 0},
	}
	rightPassword = []step{
		{"authenticate.password_success", 1, 15, 0},
	}
	createAccount = []step{
		{"screen.set_password", 0.985, 22, 0},
		{"xhr_complete.POST/wsapi/stage_user", 0.79, 13500, 430},
		{"user.user_staged", 1, 18, 0},
	}
	confirmAccount = []step{
		{"user.user_confirmed", 0.71, 48000, 0},
	}
	resetPassword = []step{
		{"xhr_complete.POST/wsapi/stage_reset", 0.86, 5200, 410},
		{"user.reset_password_staged", 1, 18, 0},
	}
	confirmReset = []step{
		{"user.reset_password_confirmed", 0.66, 62000, 0},
	}
	assertion = []step{
		{"generate_assertion", 0.996, 35, 0},
		{"assertion_generated", 0.997, 740, 0},
	}
)

// Giving an e-mail address has no entry of its own: the next screen tells of it.
const (
	emailShare = 0.86
	emailWait  = 6640 // ms, median
)

// Who comes, of those who give their e-mail address.
const (
	newShare        = 0.21 // have no account yet
	forgottenShare  = 0.045
	wrongShare      = 0.115 // of the passwords given
	wrongThenForgot = 0.16
	mostTries       = 4
)

// Other things that happen now and then.
const (
	cancelShare = 0.45  // of those who leave say so, with the cancel button
	errorShare  = 0.004 // of requests fail and show an error
	pollEvery   = 3000  // ms between two looks whether a link in a mail was followed
)

// failures has the screens that a failed request ends in.
var failures = []choice[string]{
	{0.40, "screen.error.requestTimeout"}, {0.35, "screen.error.serverError.503"},
	{0.15, "screen.error.offline"}, {0.10, "screen.error.tooManyRequests.429"},
}

// run lets a person use the dialog, from its opening to success or to where the person leaves.
func (v *visit) run() {
	if !v.walk(opening) {
		return
	}
	if !v.happens(emailShare) {
		v.leave(emailWait)
		return
	}
	v.clock += v.time(emailWait)
	v.known = true
	switch who := v.random.Float64(); {
	case who < newShare:
		v.isNew = true
		_ = v.walk(createAccount) && v.await("xhr_complete.GET/wsapi/user_creation_status", confirmAccount) && v.walk(assertion)
	case who < newShare+forgottenShare:
		_ = v.walk(knownEmail) && v.reset()
	default:
		_ = v.walk(knownEmail) && v.signIn()
	}
}

// signIn gives passwords until one is right, or forgotten.
func (v *visit) signIn() bool {
	for range mostTries {
		if !v.walk(tryPassword) {
			return false
		}
		if !v.happens(wrongShare) {
			return v.walk(rightPassword) && v.walk(assertion)
		}
		v.walk(wrongPassword)
		if v.happens(wrongThenForgot) {
			break
		}
	}
	return v.reset()
}

func (v *visit) reset() bool {
	return v.walk(resetPassword) && v.await("xhr_complete.GET/wsapi/password_reset_status", confirmReset) && v.walk(assertion)
}
