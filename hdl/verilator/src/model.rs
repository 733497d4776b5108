//! A loaded model, and instances of it.

use crate::build::{Spec, shared_object};
use crate::cache;
use crate::error::{Error, Result};
use crate::ports::Layout;
use crate::tools::Verilator;
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

/// The functions of `shim.cpp`. They stay valid for the life of the process: see [`Api::load`].
struct Api {
    create: unsafe extern "C" fn(c_int, *const *const c_char) -> *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    error: unsafe extern "C" fn(*const c_void) -> *const c_char,
    finished: unsafe extern "C" fn(*const c_void) -> c_int,
    time: unsafe extern "C" fn(*const c_void) -> u64,
    set_time: unsafe extern "C" fn(*mut c_void, u64),
    eval: unsafe extern "C" fn(*mut c_void, *mut u32) -> c_int,
    cycle: unsafe extern "C" fn(*mut c_void, *mut u32, u64, u64, u64) -> c_int,
    trace_open: unsafe extern "C" fn(*mut c_void, *const c_char, c_int) -> c_int,
    trace_dump: unsafe extern "C" fn(*mut c_void) -> c_int,
    trace_close: unsafe extern "C" fn(*mut c_void) -> c_int,
}

impl Api {
    fn load(path: &Path) -> Result<Self> {
        let failed = |source| Error::Load {
            path: path.into(),
            source,
        };
        // SAFETY: the object was built from our shim and Verilator's output; its initialisers only set up C++ statics.
        // The library is never unloaded: C++ thread-locals register destructors that live in it, and instances hold
        // its functions. Loading the same file again yields the same mapping, so nothing grows.
        let library = ManuallyDrop::new(unsafe { Library::new(path) }.map_err(failed)?);
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the signature is the one that shim.cpp declares; the shim is part of the cache key, so an
                // object built from another one is never found.
                *unsafe { library.get($name) }.map_err(failed)?
            };
        }
        Ok(Self {
            create: symbol!(b"pinring_create"),
            destroy: symbol!(b"pinring_destroy"),
            error: symbol!(b"pinring_error"),
            finished: symbol!(b"pinring_finished"),
            time: symbol!(b"pinring_time"),
            set_time: symbol!(b"pinring_set_time"),
            eval: symbol!(b"pinring_eval"),
            cycle: symbol!(b"pinring_cycle"),
            trace_open: symbol!(b"pinring_trace_open"),
            trace_dump: symbol!(b"pinring_trace_dump"),
            trace_close: symbol!(b"pinring_trace_close"),
        })
    }
}

struct Loaded {
    api: Api,
    top: String,
    layout: Layout,
    plusargs: Vec<CString>,
}

/// A verilated design, built and loaded. Cloning shares it.
#[derive(Clone)]
pub struct Model(Arc<Loaded>);

impl Model {
    /// Builds `spec` and loads it. A second build of the same inputs comes from `<target>/verilated`.
    ///
    /// # Errors
    /// Missing tools, a port list that does not match the Verilog, Verilog that Verilator refuses.
    pub fn build(spec: &Spec) -> Result<Self> {
        let layout = Layout::new(&spec.top, &spec.ports)?;
        let plusargs = std::iter::once("pinring")
            .chain(spec.plusargs.iter().map(String::as_str))
            .map(CString::new);
        let plusargs = plusargs
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::Model {
                top: spec.top.clone(),
                message: format!("plus argument: {error}"),
            })?;
        let object = shared_object(&Verilator::find()?, &cache::root(), spec, &layout)?;
        let api = Api::load(&object)?;
        Ok(Self(Arc::new(Loaded {
            api,
            top: spec.top.clone(),
            layout,
            plusargs,
        })))
    }

    /// Where the ports lie.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// Index of the port with this name, for [`Instance::get`] and its like.
    pub fn port(&self, name: &str) -> Option<usize> {
        self.0.layout.index(name)
    }

    /// A fresh instance at time 0, its `initial` blocks run, settled with all inputs 0: a clock that goes high next makes
    /// an edge.
    ///
    /// # Errors
    /// [`Error::Model`] when that fails, such as on a missing `$readmemh` file.
    pub fn instance(&self) -> Result<Instance> {
        let arguments: Vec<_> = self
            .0
            .plusargs
            .iter()
            .map(|argument| argument.as_ptr())
            .collect();
        let count = c_int::try_from(arguments.len()).unwrap_or(c_int::MAX);
        // SAFETY: `count` (at most the length) valid C strings, which the shim copies.
        let raw = unsafe { (self.0.api.create)(count, arguments.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(|| Error::Model {
            top: self.0.top.clone(),
            message: "the instance could not be created".into(),
        })?;
        let mut instance = Instance {
            raw,
            words: vec![0; self.0.layout.words()],
            model: self.0.clone(),
        };
        instance.eval()?;
        Ok(instance)
    }
}

/// One running copy of a model.
///
/// Port values lie in words that [`words`](Self::words) shows; [`eval`](Self::eval) copies inputs in and outputs out.
/// Ports are named by their index in the port list; methods panic, as slices do, on an index that does not exist.
pub struct Instance {
    raw: NonNull<c_void>,
    words: Vec<u32>,
    model: Arc<Loaded>,
}

// SAFETY: an instance owns its context and model; nothing in them belongs to a thread, as the shim names the context anew
// on every call, and creation and destruction, which touch Verilator's one static, hold a lock. `Instance` is not `Sync`:
// calls on one instance never overlap.
unsafe impl Send for Instance {}

impl Instance {
    /// Value of a port of at most 64 bits. Panics on a wider one: see [`wide`](Self::wide).
    pub fn get(&self, port: usize) -> u64 {
        match *self.wide(port) {
            [low] => low.into(),
            [low, high] => u64::from(low) | u64::from(high) << 32,
            _ => panic!("port {port} is wider than 64 bits"),
        }
    }

    /// Sets an input of at most 64 bits; bits above its width are cut off. Panics on a wider one: see
    /// [`wide_mut`](Self::wide_mut).
    pub fn set(&mut self, port: usize, value: u64) {
        let (low, high) = (value as u32, (value >> 32) as u32);
        match self.wide_mut(port) {
            [word] => *word = low,
            [first, second] => (*first, *second) = (low, high),
            _ => panic!("port {port} is wider than 64 bits"),
        }
    }

    /// Words of a port of any width, least significant first.
    pub fn wide(&self, port: usize) -> &[u32] {
        &self.words[self.model.layout.range(port)]
    }

    /// Words of an input of any width, least significant first.
    pub fn wide_mut(&mut self, port: usize) -> &mut [u32] {
        &mut self.words[self.model.layout.range(port)]
    }

    /// All ports, as [`Layout`] lays them out.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// All ports, to be written.
    pub fn words_mut(&mut self) -> &mut [u32] {
        &mut self.words
    }

    /// Copies inputs in, evaluates until nothing changes, copies outputs out. An input that changed together with a clock
    /// is seen by the clock's edge with its new value.
    ///
    /// # Errors
    /// [`Error::Model`] when the Verilog fails; the instance is then of no further use.
    pub fn eval(&mut self) -> Result<()> {
        // SAFETY: the words have the layout's length, which the shim was built for.
        let status = unsafe { (self.model.api.eval)(self.raw.as_ptr(), self.words.as_mut_ptr()) };
        self.checked(status)
    }

    /// [`eval`](Self::eval) on ports that the caller owns, such as a `#[repr(C)]` struct seen as words.
    ///
    /// # Errors
    /// As for `eval`. Panics when the length is not [`Layout::words`].
    pub fn eval_on(&mut self, ports: &mut [u32]) -> Result<()> {
        assert_eq!(
            ports.len(),
            self.words.len(),
            "ports of `{}`",
            self.model.top
        );
        // SAFETY: the length was just checked.
        let status = unsafe { (self.model.api.eval)(self.raw.as_ptr(), ports.as_mut_ptr()) };
        self.checked(status)
    }

    /// Runs `cycles` clock cycles in one call: each is half a period, rising edge, half a period, falling edge. Inputs are
    /// held; outputs are those after the last falling edge. An open trace gets every edge.
    ///
    /// # Errors
    /// As for [`eval`](Self::eval).
    pub fn cycle(&mut self, clock: usize, half_period_ps: u64, cycles: u64) -> Result<()> {
        let first = self.model.layout.range(clock).start as u64;
        // SAFETY: as for `eval`; `first` is a word of the layout.
        let status = unsafe {
            (self.model.api.cycle)(
                self.raw.as_ptr(),
                self.words.as_mut_ptr(),
                first,
                half_period_ps,
                cycles,
            )
        };
        self.checked(status)
    }

    /// Time in picoseconds, as `$time` and the trace see it.
    pub fn time(&self) -> u64 {
        // SAFETY: the instance is alive.
        unsafe { (self.model.api.time)(self.raw.as_ptr()) }
    }

    /// Sets the time in picoseconds.
    pub fn set_time(&mut self, picoseconds: u64) {
        // SAFETY: the instance is alive.
        unsafe { (self.model.api.set_time)(self.raw.as_ptr(), picoseconds) }
    }

    /// Whether the Verilog has called `$finish`.
    pub fn finished(&self) -> bool {
        // SAFETY: the instance is alive.
        unsafe { (self.model.api.finished)(self.raw.as_ptr()) != 0 }
    }

    /// Starts a VCD trace of `depth` levels of hierarchy.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be created or [`Spec::trace`] was not set.
    pub fn open_trace(&mut self, path: &Path, depth: u16) -> Result<()> {
        let name = CString::new(path.to_string_lossy().into_owned())
            .map_err(|error| self.failed(format!("trace {}: {error}", path.display())))?;
        // SAFETY: the instance is alive, the name is a C string.
        let status =
            unsafe { (self.model.api.trace_open)(self.raw.as_ptr(), name.as_ptr(), depth.into()) };
        self.checked(status).map_err(|error| match error {
            Error::Model { message, .. } => {
                self.failed(format!("trace {}: {message}", path.display()))
            }
            other => other,
        })
    }

    /// Writes the present values to the open trace, if any. Time must have advanced since the last dump.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn dump_trace(&mut self) -> Result<()> {
        // SAFETY: the instance is alive.
        let status = unsafe { (self.model.api.trace_dump)(self.raw.as_ptr()) };
        self.checked(status)
    }

    /// Ends the trace; dropping the instance does so too.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn close_trace(&mut self) -> Result<()> {
        // SAFETY: the instance is alive.
        let status = unsafe { (self.model.api.trace_close)(self.raw.as_ptr()) };
        self.checked(status)
    }

    fn checked(&self, status: c_int) -> Result<()> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the shim keeps the string until the next failure of this instance.
        let message = unsafe { CStr::from_ptr((self.model.api.error)(self.raw.as_ptr())) };
        Err(self.failed(message.to_string_lossy().into_owned()))
    }

    fn failed(&self, message: String) -> Error {
        Error::Model {
            top: self.model.top.clone(),
            message,
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: made by `create`, dropped once, not used after.
        unsafe { (self.model.api.destroy)(self.raw.as_ptr()) }
    }
}
