//! The rules of memory and DMA that the double watches, each with its documentation.

/// A rule of memory or DMA. `url` gives the page that states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DmaRule {
    /// The device reached memory that is not mapped for it.
    DeviceFault,
    /// A list was put back that was not got, or through another adapter, or with the other direction.
    DmaList,
    /// A transaction was used in a state that does not allow it: initialised or executed again, completed twice.
    DmaTransactionState,
    /// A transaction was deleted while a transfer was under way.
    DmaTransactionDeleted,
    /// A transaction was released while a transfer was under way.
    DmaTransactionReleased,
    /// The data of a transfer were handed on before they were flushed.
    DmaNotFlushed,
    /// Pages were unlocked while the device still had a mapping of them.
    PagesReleasedEarly,
    /// Something was left behind at removal.
    Leak,
    /// A common buffer was freed that was not allocated so: another adapter, address or length.
    DmaCommonBuffer,
    /// A transfer is longer than the adapter was created for.
    DmaLength,
    /// A call that needs version 3 of the DMA interface.
    DmaVersion3,
    /// Immediate execution was set outside of Initialize and Execute.
    DmaImmediateExecution,
    /// Single transfer was required after Initialize.
    DmaSingleTransfer,
    /// A call that the enabler's profile does not allow.
    DmaProfile,
    /// A call that raises an exception, which a driver in Rust cannot catch.
    RaisesException,
    /// An MDL was used as its state does not allow.
    Mdl,
    /// Memory was written after it was freed.
    WriteAfterFree,
    /// The framework's adapter was put back by the driver, or used after it was gone.
    DmaAdapter,
    /// A routine that the double has not.
    NotModelled,
}

impl DmaRule {
    /// Every rule.
    pub const ALL: [Self; 19] = [
        Self::DeviceFault,
        Self::DmaList,
        Self::DmaTransactionState,
        Self::DmaTransactionDeleted,
        Self::DmaTransactionReleased,
        Self::DmaNotFlushed,
        Self::PagesReleasedEarly,
        Self::Leak,
        Self::DmaCommonBuffer,
        Self::DmaLength,
        Self::DmaVersion3,
        Self::DmaImmediateExecution,
        Self::DmaSingleTransfer,
        Self::DmaProfile,
        Self::RaisesException,
        Self::Mdl,
        Self::WriteAfterFree,
        Self::DmaAdapter,
        Self::NotModelled,
    ];

    /// Page that states the rule.
    pub const fn url(self) -> &'static str {
        match self {
            Self::DeviceFault => {
                "https://learn.microsoft.com/windows-hardware/drivers/pci/enabling-dma-remapping-for-device-drivers"
            }
            Self::DmaList => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nc-wdm-pput_scatter_gather_list"
            }
            Self::DmaTransactionState => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionexecute"
            }
            Self::DmaTransactionDeleted => {
                "https://learn.microsoft.com/windows-hardware/drivers/wdf/completing-a-dma-transfer"
            }
            Self::DmaTransactionReleased => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionrelease"
            }
            Self::DmaNotFlushed => {
                "https://learn.microsoft.com/windows-hardware/drivers/kernel/using-scatter-gather-dma"
            }
            Self::PagesReleasedEarly => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-mmunlockpages"
            }
            Self::Leak => {
                "https://learn.microsoft.com/windows-hardware/drivers/devtest/dma-verification"
            }
            Self::DmaCommonBuffer => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nc-wdm-pfree_common_buffer"
            }
            Self::DmaLength => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmaenabler/ns-wdfdmaenabler-_wdf_dma_enabler_config"
            }
            Self::DmaVersion3 => {
                "https://learn.microsoft.com/windows-hardware/drivers/kernel/version-3-of-the-dma-operations-interface"
            }
            Self::DmaImmediateExecution => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionsetimmediateexecution"
            }
            Self::DmaSingleTransfer => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionsetsingletransferrequirement"
            }
            Self::DmaProfile => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionallocateresources"
            }
            Self::RaisesException => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-mmprobeandlockpages"
            }
            Self::Mdl => "https://learn.microsoft.com/windows-hardware/drivers/kernel/using-mdls",
            Self::WriteAfterFree => {
                "https://learn.microsoft.com/windows-hardware/drivers/devtest/special-pool"
            }
            Self::DmaAdapter => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdfdmaenabler/nf-wdfdmaenabler-wdfdmaenablerwdmgetdmaadapter"
            }
            Self::NotModelled => {
                "https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/ns-wdm-_dma_operations"
            }
        }
    }
}
