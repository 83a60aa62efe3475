//! Reads of every form: searches over several collections, pages, single records, iteration, selected fields, snapshots
//! of collections that are cleared or dropped.

mod hits;
mod iteration;
mod orders;
mod pages;
mod searches;
mod selection;
mod snapshots;
mod world;
