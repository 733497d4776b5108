//! Control codes.
#![no_std]
