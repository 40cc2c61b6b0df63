package door

import _ "embed"

// BaseStyle is what the pages of both doors look like: colours of both schemes, type, links and focus. Each page's own style follows it.
//
//go:embed base.css
var BaseStyle string
