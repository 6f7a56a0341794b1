//! The command line as a black box: exit code, stdout, stderr.

mod cases;
mod check;
mod desk;
mod explain;
mod explain_sample;
mod match_faults;
mod match_sample;
mod outcome;
mod support;
mod test;
