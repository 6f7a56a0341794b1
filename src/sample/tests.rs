//! Tests of the synthetic city.
