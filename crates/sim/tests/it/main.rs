//! The crash simulation: fifty seeds without a violation, equal traces for equal seeds, and two mutants that are caught.

mod seeds;
