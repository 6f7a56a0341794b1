//! Tests of resolution: one for each sentence that settles its meaning.
