//! The rules, each with its documentation.

macro_rules! rules {
    ($($(#[$meta:meta])* $rule:ident = $page:literal),* $(,)?) => {
        /// A rule of the driver model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $($(#[$meta])* $rule),* }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Rule] = &[$(Rule::$rule),*];

            /// The page that states the rule.
            #[must_use]
            pub const fn url(self) -> &'static str {
                match self { $(Rule::$rule => concat!("https://learn.microsoft.com/windows-hardware/drivers/", $page)),* }
            }
        }
    };
}

rules! {
    /// A function was called at an IRQL it does not allow.
    Irql = "kernel/managing-hardware-priorities",
    /// A callback returned, or a thread ended, at another IRQL than it began at.
    IrqlChanged = "devtest/force-irql-checking",
    /// An interrupt service routine called what it may not.
    CalledFromIsr = "wdf/servicing-an-interrupt",
    /// A request was completed that had been completed.
    DoubleCompletion = "devtest/kmdf-doublecompletion",
    /// A request was touched that the driver does not own.
    RequestNotOwned = "wdf/request-ownership",
    /// A request was touched after its completion.
    RequestCompleted = "wdf/completing-i-o-requests",
    /// A request was completed, forwarded or requeued while it was marked cancelable.
    CompletedWhileCancelable = "devtest/kmdf-reqnotcanceledlocal",
    /// A request was marked twice, or unmarked without being marked.
    MarkCancelable = "devtest/kmdf-markcanconcancreqlocal",
    /// More bytes were reported than the buffer has.
    InformationTooLarge = "devtest/kmdf-outputbufferapi",
    /// A handle that names nothing, or nothing any more.
    StaleHandle = "wdf/framework-object-life-cycle",
    /// A handle of another type.
    HandleType = "wdf/summary-of-framework-objects",
    /// A context type that the object does not have.
    ContextType = "wdf/framework-object-context-space",
    /// An object was deleted that a driver may not delete, or deleted twice.
    Delete = "ddi/wdfobject/nf-wdfobject-wdfobjectdelete",
    /// A reference was given back that was never taken.
    Reference = "ddi/wdfobject/nf-wdfobject-wdfobjectdereferenceactual",
    /// A structure's Size is not that of the type.
    StructureSize = "wdf/using-kmdf-verifier",
    /// A WDF_OBJECT_ATTRIBUTES with an invalid member.
    ObjectAttributes = "ddi/wdfobject/ns-wdfobject-_wdf_object_attributes",
    /// An argument that the function's contract excludes.
    InvalidArgument = "wdf/using-kmdf-verifier",
    /// A function was called where its documentation does not allow it.
    WrongPlace = "wdf/pnp-and-power-management-scenarios",
    /// A lock was acquired by its owner.
    LockRecursion = "devtest/deadlock-detection",
    /// A lock was released that the caller does not hold.
    LockNotHeld = "devtest/deadlock-detection",
    /// A callback returned or a thread ended with a lock held.
    LockHeldAtReturn = "devtest/wdm-spinlockrelease",
    /// Spin locks were acquired in opposite orders, whatever locks come in between. Wait locks are not looked at.
    LockOrder = "devtest/deadlock-detection",
    /// A wait at DISPATCH_LEVEL or above.
    WaitAtDispatch = "ddi/wdm/nf-wdm-kewaitforsingleobject",
    /// Nothing can go on.
    Deadlock = "devtest/deadlock-detection",
    /// Something outlived the driver.
    Leak = "devtest/pool-tracking",
    /// An object or a reference outlived the driver.
    ObjectLeak = "wdf/framework-object-life-cycle",
    /// A request was still pended when the device was removed or its handle closed for good.
    RequestPended = "wdf/completing-i-o-requests",
    /// A power-managed queue's request kept the device from leaving D0 (bug check 0x9F).
    PowerBlocked = "debugger/bug-check-0x9f--driver-power-state-failure",
    /// A process ended with its pages locked (bug check 0x76).
    LockedPagesLeft = "debugger/bug-check-0x76--process-has-locked-pages",
    /// Pool was freed that was not allocated, or under another tag.
    PoolFree = "ddi/wdm/nf-wdm-exfreepoolwithtag",
    /// Memory beyond a pool block was written.
    PoolOverrun = "devtest/special-pool",
    /// A mapping was unmapped that does not exist, or with another size.
    Mapping = "ddi/wdm/nf-wdm-mmunmapiospace",
    /// A register access outside a mapping, misaligned, or while the device was off.
    Mmio = "kernel/mapping-bus-relative-addresses-to-virtual-addresses",
    /// A list was put back that was not got, or through another adapter, or with the other direction.
    DmaList = "ddi/wdm/nc-wdm-pput_scatter_gather_list",
    /// A transaction was used in a state that does not allow it: initialised or executed again, completed twice.
    DmaTransactionState = "ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionexecute",
    /// A transaction was deleted while a transfer was under way.
    DmaTransactionDeleted = "wdf/completing-a-dma-transfer",
    /// A transaction was released while a transfer was under way.
    DmaTransactionReleased = "ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionrelease",
    /// The data of a transfer were handed on before they were flushed.
    DmaNotFlushed = "kernel/using-scatter-gather-dma",
    /// Pages were unlocked while the device still had a mapping of them.
    PagesReleasedEarly = "ddi/wdm/nf-wdm-mmunlockpages",
    /// A common buffer was freed that was not allocated so: another adapter, address or length.
    DmaCommonBuffer = "ddi/wdm/nc-wdm-pfree_common_buffer",
    /// A transfer is longer than the adapter was created for, or more was completed than was under way.
    DmaLength = "ddi/wdfdmaenabler/ns-wdfdmaenabler-_wdf_dma_enabler_config",
    /// A call that needs version 3 of the DMA interface.
    DmaVersion3 = "kernel/version-3-of-the-dma-operations-interface",
    /// Immediate execution was set outside of Initialize and Execute.
    DmaImmediateExecution = "ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionsetimmediateexecution",
    /// Single transfer was required after Initialize.
    DmaSingleTransfer = "ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionsetsingletransferrequirement",
    /// A call that the enabler's profile does not allow.
    DmaProfile = "ddi/wdfdmatransaction/nf-wdfdmatransaction-wdfdmatransactionallocateresources",
    /// The framework's adapter was put back by the driver, or used after it was gone.
    DmaAdapter = "ddi/wdfdmaenabler/nf-wdfdmaenabler-wdfdmaenablerwdmgetdmaadapter",
    /// A call that raises an exception, which a driver in Rust cannot catch.
    RaisesException = "ddi/wdm/nf-wdm-mmprobeandlockpages",
    /// Memory was written after it was freed.
    WriteAfterFree = "devtest/special-pool",
    /// A function, or a use of one, that the double has not.
    NotModelled = "ddi/wdm/ns-wdm-_dma_operations",
    /// A rule of memory descriptor lists.
    Mdl = "kernel/using-mdls",
    /// The device accessed memory that it may not.
    DeviceFault = "pci/enabling-dma-remapping-for-device-drivers",
    /// The driver asked for a bug check.
    BugCheck = "ddi/wdm/nf-wdm-kebugcheckex",
    /// A device without a security descriptor, or a malformed one.
    Security = "kernel/controlling-device-access",
}
