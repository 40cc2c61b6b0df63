// A text that is assigned to a vector takes memory of DuckDB's. Where that has no more it throws, and what is thrown must not pass Go: it is caught here.

#include <cstdint>

extern "C" {

void duckdb_unsafe_vector_assign_string_element_len(void *vector, uint64_t row, const char *text, uint64_t length);

// brineAssign makes the n rows of a vector the texts that lie in bytes one after the other, and says whether there was memory for them.
int brineAssign(void *vector, const char *bytes, const int64_t *ends, int64_t n) {
	try {
		for (int64_t row = 0, from = 0; row < n; from = ends[row++]) {
			duckdb_unsafe_vector_assign_string_element_len(vector, row, bytes + from, ends[row] - from);
		}
		return 1;
	} catch (...) {
		return 0;
	}
}
}
