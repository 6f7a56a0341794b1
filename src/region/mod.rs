//! The dated tree of regions, from the country to towns (GB/T 2260).
