package mistake

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Join is the path of a key below another, "" for none.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// LineOf is where a node begins. A mapping's own token is its first colon, which may stand alone.
func LineOf(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	return n.GetToken().Position.Line
}

// Scalar is a value as it was written, without its quotes: yes and on are names. False where it is none.
func Scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NanNode, *ast.InfinityNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// Slip is the likely fix of a scalar that stands where something else should, "" for none: the commonest slip by name.
func Slip(text string) string {
	if name, _, found := strings.Cut(text, ":"); found {
		return fmt.Sprintf("is a space missing after %q?", name+":")
	}
	return ""
}
