//! The DMA enabler, transactions and common buffers.
