// Package door is what the public and the private door have in common: certificates that are read anew when their
// files change, a client's address behind trusted proxies, its share of connections, and the headers that keep pages safe.
//
// It imports access/private of the house. Files of certificates and requests come in; settings of TLS, addresses, which are
// neither kept nor logged, and headers go out.
package door
