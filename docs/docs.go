// Package docs holds the description of the doors for programs, as a file inside the binary.
//
// It imports nothing of the house. Nothing comes in; openapi.yaml goes out, to the private door.
package docs

import _ "embed"

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI describes both doors in OpenAPI 3.1, YAML, to be served as application/yaml. The bytes are shared and must not be changed.
func OpenAPI() []byte { return openAPI }
