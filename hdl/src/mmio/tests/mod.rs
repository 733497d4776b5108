mod bar0;
mod counters;
mod csr;
mod doorbell;
mod inline;
mod msix;
mod target;
