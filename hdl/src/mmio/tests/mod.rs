mod bar0;
mod counters;
mod csr;
mod doorbell;
mod msix;
mod target;
