//! A driver whose I/O control handler is a closure of the test, and a machine around it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::cell::{Cell, RefCell};
use std::ptr::null_mut;

use kmdf_sim::dma::DmaConfig;
use kmdf_sim::memory::{Freed, PageLayout, UserBuffer};
use kmdf_sim::user::{self, Completion};
use kmdf_sim::*;

macro_rules! wdf {
    ($function:ident $(, $argument:expr)* $(,)?) => {
        // SAFETY: the tests pass what the functions ask for, or break a rule on purpose that is checked before anything is touched.
        unsafe { call_unsafe_wdf_function_binding!($function $(, $argument)*) }
    };
}
pub(crate) use wdf;

/// What a handler has.
#[derive(Clone, Copy)]
pub struct Env {
    pub device: WDFDEVICE,
    pub enabler: WDFDMAENABLER,
    pub request: WDFREQUEST,
    pub mdl: PMDL,
}

type Handler = Box<dyn FnOnce(Env)>;

/// A list that EvtProgramDma was called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programmed {
    pub transaction: WDFDMATRANSACTION,
    pub list: PSCATTER_GATHER_LIST,
    pub elements: Vec<(u64, u32)>,
    pub irql: u8,
}

thread_local! {
    static HANDLER: RefCell<Option<Handler>> = const { RefCell::new(None) };
    static ENABLER: RefCell<WDF_DMA_ENABLER_CONFIG> = RefCell::new(WDF_DMA_ENABLER_CONFIG::default());
    /// The application's buffer, while the request is under way.
    static BUFFER: Cell<*const UserBuffer> = const { Cell::new(std::ptr::null()) };
    static ENV: RefCell<Option<(WDFDEVICE, WDFDMAENABLER)>> = const { RefCell::new(None) };
    pub static PROGRAMMED: RefCell<Vec<Programmed>> = const { RefCell::new(Vec::new()) };
}

/// C2H: the buffer is locked for writing.
pub const OUT_DIRECT: u32 = code(METHOD_OUT_DIRECT);
/// H2C: the buffer is locked for reading.
pub const IN_DIRECT: u32 = code(METHOD_IN_DIRECT);

const fn code(method: u32) -> u32 {
    FILE_DEVICE_UNKNOWN << 16 | (FILE_READ_ACCESS | FILE_WRITE_ACCESS) << 14 | 0x800 << 2 | method
}

/// Settings of an enabler: 64 bits, duplex, as much as a test needs.
pub fn enabler(version: u32, maximum_length: usize) -> WDF_DMA_ENABLER_CONFIG {
    WDF_DMA_ENABLER_CONFIG {
        Size: size_of::<WDF_DMA_ENABLER_CONFIG>() as u32,
        Profile: _WDF_DMA_PROFILE::WdfDmaProfileScatterGather64Duplex,
        MaximumLength: maximum_length,
        WdmDmaVersionOverride: version,
        ..WDF_DMA_ENABLER_CONFIG::default()
    }
}

unsafe extern "C" fn device_add(_: WDFDRIVER, mut init: PWDFDEVICE_INIT) -> NTSTATUS {
    let mut text: Vec<u16> = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGW;;;WD)"
        .encode_utf16()
        .collect();
    let security = UNICODE_STRING {
        Length: 2 * text.len() as u16,
        MaximumLength: 2 * text.len() as u16,
        Buffer: text.as_mut_ptr(),
    };
    assert_eq!(
        wdf!(WdfDeviceInitAssignSDDLString, init, &security),
        STATUS_SUCCESS
    );
    let mut device = null_mut();
    let status = wdf!(
        WdfDeviceCreate,
        &mut init,
        WDF_NO_OBJECT_ATTRIBUTES,
        &mut device
    );
    assert_eq!(status, STATUS_SUCCESS);
    let interface = GUID::default();
    let status = wdf!(
        WdfDeviceCreateDeviceInterface,
        device,
        &interface,
        null_mut()
    );
    assert_eq!(status, STATUS_SUCCESS);
    let mut config = ENABLER.with_borrow(|config| *config);
    let mut made = null_mut();
    let status = wdf!(
        WdfDmaEnablerCreate,
        device,
        &mut config,
        WDF_NO_OBJECT_ATTRIBUTES,
        &mut made
    );
    if !NT_SUCCESS(status) {
        return status;
    }
    ENV.set(Some((device, made)));
    let mut config = WDF_IO_QUEUE_CONFIG {
        Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
        DispatchType: _WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchSequential,
        PowerManaged: _WDF_TRI_STATE::WdfUseDefault,
        DefaultQueue: 1,
        EvtIoDeviceControl: Some(control),
        ..WDF_IO_QUEUE_CONFIG::default()
    };
    let mut queue = null_mut();
    wdf!(
        WdfIoQueueCreate,
        device,
        &mut config,
        WDF_NO_OBJECT_ATTRIBUTES,
        &mut queue
    )
}

unsafe extern "C" fn control(_: WDFQUEUE, request: WDFREQUEST, _: usize, _: usize, _: u32) {
    let (device, enabler) = ENV.with_borrow(|env| env.unwrap());
    let mut mdl = null_mut();
    let status = wdf!(WdfRequestRetrieveOutputWdmMdl, request, &mut mdl);
    assert_eq!(status, STATUS_SUCCESS);
    let handler = HANDLER.take().expect("one request a test");
    handler(Env {
        device,
        enabler,
        request,
        mdl,
    });
}

/// The application frees its buffer and commits it again, while a handler runs.
pub fn recommit() -> Freed {
    // SAFETY: the buffer lives until the request has ended, and handlers run before that.
    let buffer = unsafe { &*BUFFER.get() };
    buffer.recommit(&PageLayout::Shuffled).unwrap()
}

/// Elements of a list.
pub fn elements(list: PSCATTER_GATHER_LIST) -> Vec<(u64, u32)> {
    // SAFETY: the tests pass lists that are in force.
    unsafe {
        let count = (*list).NumberOfElements as usize;
        let first = (&raw const (*list).Elements).cast::<SCATTER_GATHER_ELEMENT>();
        (0..count)
            .map(|index| {
                let element = first.add(index).read();
                (element.Address.QuadPart as u64, element.Length)
            })
            .collect()
    }
}

/// An EvtProgramDma that notes its list.
pub unsafe extern "C" fn program_dma(
    transaction: WDFDMATRANSACTION,
    _: WDFDEVICE,
    _: WDFCONTEXT,
    _: WDF_DMA_DIRECTION,
    list: PSCATTER_GATHER_LIST,
) -> u8 {
    let programmed = Programmed {
        transaction,
        list,
        elements: elements(list),
        // SAFETY: it has no conditions.
        irql: unsafe { ntddk::KeGetCurrentIrql() },
    };
    PROGRAMMED.with_borrow_mut(|all| all.push(programmed));
    1
}

impl Env {
    /// The request is done.
    pub fn complete(&self) {
        wdf!(WdfRequestComplete, self.request, STATUS_SUCCESS);
    }

    /// A new transaction.
    pub fn transaction(&self) -> WDFDMATRANSACTION {
        let mut transaction = null_mut();
        let status = wdf!(
            WdfDmaTransactionCreate,
            self.enabler,
            WDF_NO_OBJECT_ATTRIBUTES,
            &mut transaction
        );
        assert_eq!(status, STATUS_SUCCESS);
        transaction
    }

    /// Initialises a transaction for part of the request's buffer.
    pub fn initialize(
        &self,
        transaction: WDFDMATRANSACTION,
        offset: usize,
        length: usize,
        h2c: bool,
    ) -> NTSTATUS {
        wdf!(
            WdfDmaTransactionInitializeUsingOffset,
            transaction,
            Some(program_dma),
            i32::from(h2c),
            self.mdl,
            offset,
            length
        )
    }

    /// The adapter for a direction.
    pub fn adapter(&self, h2c: bool) -> PDMA_ADAPTER {
        wdf!(WdfDmaEnablerWdmGetDmaAdapter, self.enabler, i32::from(h2c))
    }

    /// The adapter's table.
    pub fn operations(&self) -> _DMA_OPERATIONS {
        // SAFETY: the adapter lives as long as the enabler.
        unsafe { *(*self.adapter(false)).DmaOperations }
    }

    /// A transaction that runs with this list.
    pub fn execute(&self, offset: usize, length: usize, h2c: bool) -> Programmed {
        let transaction = self.transaction();
        assert_eq!(
            self.initialize(transaction, offset, length, h2c),
            STATUS_SUCCESS
        );
        assert_eq!(
            wdf!(WdfDmaTransactionExecute, transaction, null_mut()),
            STATUS_SUCCESS
        );
        last_programmed()
    }
}

/// Calls DmaCompleted; the status and whether the transaction is at its end.
pub fn dma_completed(transaction: WDFDMATRANSACTION) -> (NTSTATUS, u8) {
    let mut status = 0;
    let ended = wdf!(WdfDmaTransactionDmaCompleted, transaction, &mut status);
    (status, ended)
}

/// What EvtProgramDma was called with last.
pub fn last_programmed() -> Programmed {
    PROGRAMMED.with_borrow(|all| all.last().unwrap().clone())
}

/// What came of a test.
pub struct Outcome {
    pub report: Report,
    pub bytes: Vec<u8>,
    pub completion: Option<Completion>,
}

/// A test's machine.
pub struct Bench {
    pub config: Config,
    pub enabler: WDF_DMA_ENABLER_CONFIG,
    pub code: u32,
    pub layout: PageLayout,
    pub bytes: usize,
}

impl Bench {
    pub fn new(dma: DmaConfig) -> Self {
        Self {
            config: Config {
                dma,
                ..Config::default()
            },
            enabler: enabler(3, 1 << 20),
            code: OUT_DIRECT,
            layout: PageLayout::Shuffled,
            bytes: 10 * 4096,
        }
    }

    /// Sends one request with a buffer, which `handler` serves, and takes everything down.
    pub fn run(self, handler: impl FnOnce(Env) + 'static) -> Outcome {
        HANDLER.set(Some(Box::new(handler)));
        ENABLER.set(self.enabler);
        PROGRAMMED.set(Vec::new());
        let (code, layout, bytes) = (self.code, self.layout, self.bytes);
        let mut machine = Machine::new(self.config, NoHardware);
        let loaded = machine.load(|driver, path| {
            let mut config = WDF_DRIVER_CONFIG {
                Size: size_of::<WDF_DRIVER_CONFIG>() as u32,
                EvtDriverDeviceAdd: Some(device_add),
                ..WDF_DRIVER_CONFIG::default()
            };
            wdf!(
                WdfDriverCreate,
                driver,
                path,
                WDF_NO_OBJECT_ATTRIBUTES,
                &mut config,
                null_mut()
            )
        });
        assert_eq!(loaded, Ok(STATUS_SUCCESS), "{}", machine.report());
        assert_eq!(
            machine.add_device(),
            Ok(STATUS_SUCCESS),
            "{}",
            machine.report()
        );
        let process = machine.process().unwrap();
        let outcome = machine.run(Some(process), || {
            let buffer = UserBuffer::new(bytes, &layout).unwrap();
            for at in 0..buffer.len() {
                buffer.write(at, &[(at % 101) as u8]);
            }
            let handle = user::open(FILE_READ_DATA | FILE_WRITE_DATA, true).unwrap();
            let address = buffer.as_mut_ptr();
            BUFFER.set(&raw const buffer);
            // SAFETY: the buffer lives until the request has ended.
            let pending =
                unsafe { user::start_at(handle, code, b"", address, bytes, None) }.unwrap();
            let completion = user::result(pending, Some(1_000_000_000_000));
            let seen = buffer.to_vec();
            if completion.is_none() {
                user::cancel_io_ex(handle, None);
            }
            let _ = user::close(handle);
            (seen, completion)
        });
        if !machine.report().stopped {
            let _ = machine.remove();
            let _ = machine.unload();
        }
        let report = machine.report();
        let (bytes, completion) = outcome.unwrap_or_default();
        Outcome {
            report,
            bytes,
            completion,
        }
    }
}
