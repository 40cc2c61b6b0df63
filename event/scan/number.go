package scan

// Number reads a number and returns its bytes as they stand.
func (s *Scanner) Number() ([]byte, error) {
	s.Space()
	start := s.Pos
	if s.at('-') {
		s.Pos++
	}
	first := s.Pos
	if !s.digits() || s.Pos > first+1 && s.Src[first] == '0' {
		s.Pos = min(s.Pos, first+1) // no digit may follow a zero
		return nil, s.unfit()
	}
	if s.at('.') {
		s.Pos++
		if !s.digits() {
			return nil, s.unfit()
		}
	}
	if s.at('e') || s.at('E') {
		s.Pos++
		if s.at('+') || s.at('-') {
			s.Pos++
		}
		if !s.digits() {
			return nil, s.unfit()
		}
	}
	return s.Src[start:s.Pos], nil
}

// digits reads one digit or more.
func (s *Scanner) digits() bool {
	src, i := s.Src, s.Pos
	for i < len(src) && src[i]-'0' <= 9 {
		i++
	}
	some := i > s.Pos
	s.Pos = i
	return some
}

func (s *Scanner) at(c byte) bool {
	return s.Pos < len(s.Src) && s.Src[s.Pos] == c
}

func (s *Scanner) unfit() error {
	if s.Pos >= len(s.Src) {
		return ErrEnd
	}
	return ErrSyntax
}
