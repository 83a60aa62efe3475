//! Saved snapshots: round trips, changes of the program, damage, hostile files, memory and errors of the system. A separate binary,
//! because its allocator counts.

#![cfg(not(any(memdex_shuttle, memdex_loom)))]

mod allocator;
mod blocks;
mod damage;
mod files;
mod hostile;
mod programs;
mod round_trips;
mod world;
