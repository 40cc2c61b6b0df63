package scan

// Skip reads one value of any type. It keeps no more than one bit for each level it is in.
func (s *Scanner) Skip() error {
	var open levels
	for {
		first, err := s.begin(&open)
		if err != nil {
			return err
		}
		if done, err := s.finish(&open, first); done || err != nil {
			return err
		}
	}
}

// levels are the arrays and objects that a position is in.
type levels struct {
	depth   int
	objects uint64 // the lowest bit is the innermost level: 1 for an object
}

func (l *levels) enter(t Type) error {
	if l.depth == MaxDepth {
		return ErrDepth
	}
	l.depth++
	l.objects <<= 1
	if t == Object {
		l.objects |= 1
	}
	return nil
}

func (l *levels) leave() {
	l.depth--
	l.objects >>= 1
}

func (l *levels) closing() byte {
	if l.objects&1 == 1 {
		return '}'
	}
	return ']'
}

// begin reads a value, or of an array or object its first byte; then it returns true.
func (s *Scanner) begin(open *levels) (entered bool, err error) {
	t := s.Peek()
	switch t {
	case Object, Array:
		if err := open.enter(t); err != nil {
			return false, err
		}
		s.Pos++
		return true, nil
	case String:
		_, _, err = s.Text()
	case Number:
		_, err = s.Number()
	case Bool:
		_, err = s.Bool()
	case Null:
		err = s.Null()
	case End:
		err = ErrEnd
	default:
		err = ErrSyntax
	}
	return false, err
}

// finish reads on after a value to where the next begins, and leaves the levels that end
// there. It returns true where the outermost value has ended.
func (s *Scanner) finish(open *levels, entered bool) (done bool, err error) {
	n := 1
	if entered {
		n = 0
	}
	for open.depth > 0 {
		more, err := s.More(n, open.closing())
		if err != nil {
			return false, err
		}
		if more {
			return false, s.memberName(open)
		}
		open.leave()
		n = 1
	}
	return true, nil
}

func (s *Scanner) memberName(open *levels) error {
	if open.objects&1 == 0 {
		return nil
	}
	_, _, err := s.Key()
	return err
}
