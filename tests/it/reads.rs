//! Reads of every form: orders by undeclared paths.

mod orders;
