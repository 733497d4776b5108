//! What the double reports, as Driver Verifier would.

/// A rule of the driver model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A function was called at an IRQL it does not allow.
    Irql,
    /// A DMA rule: see the detail.
    Dma,
}
