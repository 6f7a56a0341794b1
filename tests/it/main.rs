//! The command line as a black box: exit code, stdout, stderr.

mod check;
mod explain;
mod match_faults;
mod match_sample;
mod outcome;
mod simulate;
mod support;
mod test;
