//! The command line as a black box: exit code, stdout, stderr.

mod check;
mod explain;
mod support;
mod test;
