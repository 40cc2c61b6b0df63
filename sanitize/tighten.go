package sanitize

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"brine/lake"
)

// Tightened is what was taken out of sanitized files, or would be.
type Tightened struct {
	Files   int         `json:"files"` // that were rewritten
	Rows    int64       `json:"rows"`  // that lay in them
	Taken   []TakenFrom `json:"taken"`
	Refused []Denial    `json:"refused"`
}

// TakenFrom is a field of a stream that lost something.
type TakenFrom struct {
	Stream string `json:"stream"`
	Field  string `json:"field"` // its path, like meta.dt; "" is the whole stream
	Was    string `json:"was"`   // the rule it was kept by
	Now    string `json:"now"`
	Files  int    `json:"files"`
}

// Tighten takes out of every sanitized file, of whatever age, what the allowlist no longer permits.
// It needs neither raw events nor salts, and widens nothing. With dry it only says what it would do.
func (j *Job) Tighten(ctx context.Context, dry bool, progress func(done, of int)) (Tightened, error) {
	report := Tightened{Taken: []TakenFrom{}, Refused: []Denial{}}
	j.working.Lock() // waits for the hours that are being done: nothing by other plans comes after this
	plans, err := j.Plans()
	j.working.Unlock()
	if err != nil {
		return report, err
	}
	r, err := j.rewriter()
	if err != nil {
		return report, err
	}
	defer r.Close()
	t := &tightening{run: run{job: j, r: r, plans: plans}, dry: dry, report: &report}
	files, err := t.files(ctx)
	if err != nil {
		return report, err
	}
	for i, f := range files {
		if progress != nil {
			progress(i, len(files))
		}
		err := r.Hour(ctx, f.Stream, f.Hour, func(h *lake.Hour) error { return t.file(ctx, h, f.Name) })
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		if err != nil {
			report.Refused = append(report.Refused, Denial{Hour{f.Stream, f.Name.Hour}, err.Error()})
		}
	}
	if progress != nil {
		progress(len(files), len(files))
	}
	return report, nil
}

// tightening is one run of [Job.Tighten].
type tightening struct {
	run
	dry    bool
	report *Tightened
}

// files are those that hold more than the allowlist permits, the oldest first.
func (t *tightening) files(ctx context.Context) (files []lake.File, err error) {
	for _, stream := range t.job.Lake.Streams(lake.Sanitized) {
		all := t.job.Lake.List(lake.Sanitized, stream)
		metas, err := t.r.Meta(ctx, all)
		if err != nil {
			return nil, err
		}
		permitted := permits{plan: t.plan(stream)}
		for _, f := range all {
			if !permitted.all(parseMeta(metas[f.Name]).Made) {
				files = append(files, f)
			}
		}
	}
	slices.SortStableFunc(files, func(a, b lake.File) int { return a.Name.Hour.Compare(b.Name.Hour) })
	return files, nil
}

// permits says whether a plan permits all that a file holds, by what made it. Answers are remembered, as most files are alike.
type permits struct {
	plan  *Plan
	known map[string]bool
}

func (p *permits) all(text string) bool {
	answer, ok := p.known[text]
	if ok {
		return answer
	}
	var was made
	answer = json.Unmarshal([]byte(text), &was) == nil && was.Version == 1 && (p.plan.Listed || !was.Listed) &&
		!slices.ContainsFunc(was.Rules, func(r FieldRule) bool {
			rule, ok := ruleAt(p.plan.fields, r.Path)
			return !ok || !r.rule().within(rule)
		})
	if p.known == nil {
		p.known = map[string]bool{}
	}
	p.known[text] = answer
	return answer
}

// file tightens one file, unless it was replaced meanwhile.
func (t *tightening) file(ctx context.Context, h *lake.Hour, n lake.Name) error {
	now := h.Files(lake.Sanitized)
	i := slices.IndexFunc(now, func(f lake.File) bool { return f.Log == n.Log })
	if i < 0 {
		return nil // purged meanwhile
	}
	files := now[i : i+1]
	metas, err := t.r.Meta(ctx, files)
	if err != nil {
		return err
	}
	meta := parseMeta(metas[files[0].Name])
	rows, err := h.From(ctx, files)
	if err != nil {
		return err
	}
	columns, err := t.r.Conn().Columns(ctx, rows)
	if err != nil {
		return err
	}
	narrowing, err := t.plan(h.Stream).Narrow(meta.Made, columns)
	if err != nil || len(narrowing.Taken) == 0 {
		return err
	}
	if !t.dry {
		if err := t.rewrite(ctx, h, files, rows, narrowing.Plan, meta); err != nil {
			return err
		}
	}
	t.report.add(h.Stream, meta, narrowing.Taken)
	return nil
}

func (t *tightening) rewrite(ctx context.Context, h *lake.Hour, files []lake.File, rows string, narrow *Plan, meta Meta) error {
	sql, end, err := narrow.Select(t.r.Conn(), Input{Rows: rows, Hour: h.Start, Source: sourceNumber(files[0].Name)})
	if err != nil {
		return err
	}
	defer end()
	meta.Allowlist, meta.Made = narrow.Digest(), narrow.Made()
	if !narrow.Listed {
		meta.RowsOut = 0
	}
	if !narrow.keepsPseudonym() {
		meta.Salt = ""
	}
	_, err = h.Rewrite(ctx, lake.Rewrite{Table: Table(narrow), Inputs: files, SQL: "FROM " + sql, Meta: meta.pairs(), Plain: t.job.Plain})
	return err
}

// keepsPseudonym says whether some field holds what a salt made.
func (p *Plan) keepsPseudonym() bool {
	return slices.ContainsFunc(p.Rules(), func(r FieldRule) bool { return r.Hashes() })
}

func (r *Tightened) add(stream string, meta Meta, taken []Taken) {
	r.Files++
	r.Rows += meta.RowsOut
	for _, t := range taken {
		from := TakenFrom{Stream: stream, Field: strings.Join(t.Path, "."), Was: t.Was, Now: t.Now}
		i := slices.IndexFunc(r.Taken, func(have TakenFrom) bool { from.Files = have.Files; return have == from })
		if i < 0 {
			from.Files = 0
			r.Taken = append(r.Taken, from)
			i = len(r.Taken) - 1
		}
		r.Taken[i].Files++
	}
	slices.SortStableFunc(r.Taken, func(a, b TakenFrom) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Field, b.Field))
	})
}

func (t TakenFrom) String() string {
	field := t.Stream
	if t.Field != "" {
		field += "." + t.Field
	}
	return fmt.Sprintf("%s: %s → %s", field, t.Was, t.Now)
}
