// Where DuckDB has no memory for what is put into a vector it throws, and what is thrown must not pass Go: it is caught here.

#include <cstdint>

extern "C" {

void duckdb_unsafe_vector_assign_string_element_len(void *vector, uint64_t row, const char *text, uint64_t length);
int duckdb_list_vector_reserve(void *vector, uint64_t size);
int duckdb_list_vector_set_size(void *vector, uint64_t size);

// brineAssign makes n rows of a vector, each by its number or else the first ones, the texts that lie in bytes one after the other, and says whether there
// was memory for them.
int brineAssign(void *vector, const int64_t *rows, const char *bytes, const int64_t *ends, int64_t n) {
	try {
		for (int64_t i = 0, from = 0; i < n; from = ends[i++]) {
			duckdb_unsafe_vector_assign_string_element_len(vector, rows ? rows[i] : i, bytes + from, ends[i] - from);
		}
		return 1;
	} catch (...) {
		return 0;
	}
}

// brineReserve gives a vector of lists so many elements, and says whether there was memory for them.
int brineReserve(void *vector, int64_t size) {
	try {
		return duckdb_list_vector_reserve(vector, size) == 0 && duckdb_list_vector_set_size(vector, size) == 0;
	} catch (...) {
		return 0;
	}
}
}
