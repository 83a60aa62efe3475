//! Reads of every form: orders by undeclared paths, selected fields.

mod orders;
mod selection;
