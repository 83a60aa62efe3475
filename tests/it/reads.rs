//! Reads of every form: orders by undeclared paths, selected fields, snapshots of collections that are cleared or dropped.

mod orders;
mod selection;
mod snapshots;
