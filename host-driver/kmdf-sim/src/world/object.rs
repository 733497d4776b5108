//! Framework objects: handles, parents, references, contexts, deletion.

use core::any::Any;
use std::collections::{BTreeSet, VecDeque};

use super::{Map, call_at, fatal, violation, with};
use crate::constants::STATUS_INSUFFICIENT_RESOURCES;
use crate::types::*;
use crate::verifier::Rule;

/// What a kind of object keeps, and what happens when it goes.
pub(crate) trait Payload: Any {
    /// Name of the handle's type.
    const TYPE: &'static str;
    /// The driver may call WdfObjectDelete.
    const DELETABLE: bool = true;

    /// Runs when the object is deleted, after the driver's EvtCleanupCallback, outside `world::with`.
    fn cleanup(_handle: HANDLE) {}
}

struct Context {
    info: usize,
    memory: Box<[u128]>,
    cleanup: PFN_WDF_OBJECT_CONTEXT_CLEANUP,
    destroy: PFN_WDF_OBJECT_CONTEXT_DESTROY,
}

struct Object {
    type_name: &'static str,
    deletable: bool,
    payload: Box<dyn Any>,
    cleanup: fn(HANDLE),
    parent: u64,
    children: BTreeSet<u64>,
    references: u32,
    contexts: Vec<Context>,
    deleted: bool,
}

/// All objects.
#[derive(Default)]
pub(crate) struct Objects {
    live: Map<u64, Object>,
    last: u64,
    context_owner: std::collections::BTreeMap<usize, (usize, u64)>,
    /// Freed contexts, poisoned, kept a while so that late reads find nonsense rather than another object, and late writes are found.
    quarantine: VecDeque<FreedContext>,
    /// Whose callbacks or functions it was, and what was found.
    pub(crate) written_after_free: Vec<(&'static str, String)>,
}

struct FreedContext {
    memory: Box<[u128]>,
    type_name: &'static str,
    number: u64,
}

impl FreedContext {
    fn note(&mut self, written: &mut Vec<(&'static str, String)>) {
        // Plain loads would be allowed to believe that nobody else writes.
        // SAFETY: the box's own words.
        let load = |word: &u128| unsafe { core::ptr::from_ref(word).read_volatile() };
        let Some(word) = self.memory.iter().position(|word| load(word) != POISON) else {
            return;
        };
        self.memory.fill(POISON);
        written.push((
            "EvtDestroyCallback",
            format!(
                "the context of the {} {:#x} was written about offset {} after the object was destroyed",
                self.type_name,
                self.number,
                16 * word
            ),
        ));
    }
}

const FIRST_HANDLE: u64 = 0x0000_7A00_0000_0000;
const POISON: u128 = 0xDDDD_DDDD_DDDD_DDDD_DDDD_DDDD_DDDD_DDDD;

fn as_handle(number: u64) -> HANDLE {
    core::ptr::without_provenance_mut(number as usize)
}

/// The number that stands for a handle of any type.
pub(crate) fn number<T>(handle: *mut T) -> u64 {
    handle.addr() as u64
}

/// The handle of a number, of the type asked for.
pub(crate) fn handle<T>(number: u64) -> *mut T {
    core::ptr::without_provenance_mut(number as usize)
}

impl Objects {
    fn get(&self, handle: HANDLE) -> Option<&Object> {
        self.live.get(&number(handle))
    }

    /// Looks for contexts of destroyed objects that were written.
    pub(crate) fn check_freed(&mut self) {
        for context in &mut self.quarantine {
            context.note(&mut self.written_after_free);
        }
    }

    /// Live objects by type, for the leak check.
    pub(crate) fn census(&self) -> Vec<(&'static str, u64, u32)> {
        let mut all: Vec<_> = self
            .live
            .iter()
            .map(|(number, object)| (object.type_name, *number, object.references))
            .collect();
        all.sort_by_key(|(_, number, _)| *number);
        all
    }

    /// Numbers of all live objects of a type, oldest first.
    pub(crate) fn of_type<T: Payload>(&self) -> Vec<u64> {
        let mut all: Vec<_> = self
            .live
            .iter()
            .filter(|(_, object)| object.payload.is::<T>() && !object.deleted)
            .map(|(number, _)| *number)
            .collect();
        all.sort_unstable();
        all
    }

    /// What a live object keeps, without a report.
    pub(crate) fn peek<T: Payload>(&mut self, number: u64) -> Option<&mut T> {
        self.live.get_mut(&number)?.payload.downcast_mut()
    }
}

/// Reads a structure given by pointer after checking its Size member, which is the first.
///
/// # Safety
/// `pointer` is null or points to a `T`.
pub(crate) unsafe fn sized<T: Copy>(ddi: &'static str, pointer: *const T) -> T {
    if pointer.is_null() {
        fatal(
            Rule::InvalidArgument,
            ddi,
            "a null pointer for a structure that is required",
        );
    }
    // SAFETY: not null, and the caller's contract says what it points to.
    let (value, size) = unsafe { (*pointer, *pointer.cast::<u32>()) };
    if size as usize != size_of::<T>() {
        fatal(
            Rule::StructureSize,
            ddi,
            format!(
                "Size is {size}, the structure has {} bytes: was it initialised?",
                size_of::<T>()
            ),
        );
    }
    value
}

fn checked_attributes(
    ddi: &'static str,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    parent_allowed: bool,
) -> Option<WDF_OBJECT_ATTRIBUTES> {
    if attributes.is_null() {
        return None;
    }
    // SAFETY: the driver's contract for the function it called.
    let attributes = unsafe { sized(ddi, attributes) };
    if !(1..=3).contains(&attributes.ExecutionLevel)
        || !(1..=4).contains(&attributes.SynchronizationScope)
    {
        let (level, scope) = (attributes.ExecutionLevel, attributes.SynchronizationScope);
        fatal(
            Rule::ObjectAttributes,
            ddi,
            format!(
                "ExecutionLevel is {level}, SynchronizationScope {scope}: set them, 1 is InheritFromParent"
            ),
        );
    }
    if !parent_allowed && !attributes.ParentObject.is_null() {
        fatal(
            Rule::ObjectAttributes,
            ddi,
            "ParentObject must be null here",
        );
    }
    Some(attributes)
}

fn new_context(ddi: &'static str, attributes: &WDF_OBJECT_ATTRIBUTES) -> Context {
    let mut info = 0;
    let mut bytes = 0;
    if !attributes.ContextTypeInfo.is_null() {
        // SAFETY: a static of the driver, by contract.
        let type_info = unsafe { sized(ddi, attributes.ContextTypeInfo) };
        info = unique(attributes.ContextTypeInfo);
        bytes = type_info.ContextSize.max(attributes.ContextSizeOverride);
    } else if attributes.ContextSizeOverride != 0 {
        fatal(
            Rule::ObjectAttributes,
            ddi,
            "ContextSizeOverride without ContextTypeInfo",
        );
    }
    Context {
        info,
        memory: vec![0; bytes.div_ceil(16).max(1)].into(),
        cleanup: attributes.EvtCleanupCallback,
        destroy: attributes.EvtDestroyCallback,
    }
}

/// The address that identifies a context type.
fn unique(info: PCWDF_OBJECT_CONTEXT_TYPE_INFO) -> usize {
    // SAFETY: a static of the driver, by contract.
    let unique = unsafe { (*info).UniqueType };
    if unique.is_null() {
        info.addr()
    } else {
        unique.addr()
    }
}

/// Checks the attributes and creates an object; `default_parent` counts if the attributes name none.
pub(crate) fn create<T: Payload>(
    ddi: &'static str,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    default_parent: HANDLE,
    payload: T,
) -> Result<HANDLE, NTSTATUS> {
    let attributes = checked_attributes(ddi, attributes, true);
    if super::inject(ddi) {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    Ok(create_checked(ddi, attributes, default_parent, payload))
}

/// As [`create`], where the attributes were checked before or are the double's own; does not fail.
pub(crate) fn create_checked<T: Payload>(
    ddi: &'static str,
    attributes: Option<WDF_OBJECT_ATTRIBUTES>,
    default_parent: HANDLE,
    payload: T,
) -> HANDLE {
    let parent = attributes
        .map(|attributes| attributes.ParentObject)
        .filter(|parent| !parent.is_null())
        .unwrap_or(default_parent);
    if !parent.is_null() && with(|w| w.objects.get(parent).is_none_or(|object| object.deleted)) {
        fatal(
            Rule::StaleHandle,
            ddi,
            format!("the parent {parent:?} does not exist or is being deleted"),
        );
    }
    let context = attributes
        .as_ref()
        .map(|attributes| new_context(ddi, attributes));
    with(|w| {
        w.objects.last += 1;
        let number = FIRST_HANDLE + (w.objects.last << 4);
        if let Some(parent) = w.objects.live.get_mut(&self::number(parent)) {
            parent.children.insert(number);
        }
        let object = Object {
            type_name: T::TYPE,
            deletable: T::DELETABLE,
            payload: Box::new(payload),
            cleanup: T::cleanup,
            parent: self::number(parent),
            children: BTreeSet::new(),
            references: 1,
            contexts: Vec::new(),
            deleted: false,
        };
        w.objects.live.insert(number, object);
        if let Some(context) = context {
            w.objects.add_context(number, context);
        }
        as_handle(number)
    })
}

/// Checks attributes that are used later.
pub(crate) fn attributes(
    ddi: &'static str,
    attributes: PWDF_OBJECT_ATTRIBUTES,
) -> Option<WDF_OBJECT_ATTRIBUTES> {
    checked_attributes(ddi, attributes, false)
}

impl Objects {
    fn add_context(&mut self, number: u64, context: Context) -> *mut core::ffi::c_void {
        let address = context.memory.as_ptr().addr();
        self.context_owner
            .insert(address, (context.memory.len() * 16, number));
        let object = self.live.get_mut(&number).expect("checked by the caller");
        object.contexts.push(context);
        object
            .contexts
            .last_mut()
            .map_or(core::ptr::null_mut(), |context| {
                context.memory.as_mut_ptr().cast()
            })
    }
}

/// Adds a context to an object (WdfObjectAllocateContext).
pub(crate) fn add_context(
    ddi: &'static str,
    object: HANDLE,
    attributes: PWDF_OBJECT_ATTRIBUTES,
) -> Result<PVOID, NTSTATUS> {
    let Some(attributes) = checked_attributes(ddi, attributes, false) else {
        fatal(
            Rule::InvalidArgument,
            ddi,
            "attributes with a context type are required",
        );
    };
    check(ddi, object);
    if super::inject(ddi) {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    let context = new_context(ddi, &attributes);
    with(|w| {
        let found = w
            .objects
            .live
            .get_mut(&number(object))
            .expect("checked above");
        if let Some(present) = found
            .contexts
            .iter_mut()
            .find(|present| present.info == context.info && present.info != 0)
        {
            let _ = present.memory.as_mut_ptr();
            return Err(crate::constants::STATUS_OBJECT_NAME_COLLISION);
        }
        Ok(w.objects.add_context(number(object), context))
    })
}

/// Stops the machine unless the handle names an object.
pub(crate) fn check(ddi: &'static str, handle: HANDLE) {
    if with(|w| w.objects.get(handle).is_none()) {
        stale(ddi, handle);
    }
}

fn stale(ddi: &'static str, handle: HANDLE) -> ! {
    let last = with(|w| FIRST_HANDLE + (w.objects.last << 4));
    let number = number(handle);
    let what = if number > FIRST_HANDLE && number <= last && number.is_multiple_of(16) {
        "was deleted"
    } else {
        "is no handle"
    };
    fatal(Rule::StaleHandle, ddi, format!("{handle:?} {what}"));
}

/// Gives access to what the object keeps; `None`, and a violation, if there is no such object. As in `world::with`.
pub(crate) fn data<T: Payload, R>(
    ddi: &'static str,
    handle: HANDLE,
    f: impl FnOnce(&mut T) -> R,
) -> Option<R> {
    check(ddi, handle);
    let result = with(|w| {
        let object = w.objects.live.get_mut(&number(handle))?;
        match object.payload.downcast_mut::<T>() {
            Some(payload) => Some(Ok(f(payload))),
            None => Some(Err(object.type_name)),
        }
    })?;
    match result {
        Ok(result) => Some(result),
        Err(other) => fatal(
            Rule::HandleType,
            ddi,
            format!("{handle:?} is a {other}, a {} is required", T::TYPE),
        ),
    }
}

/// As [`data`]; a handle that names nothing stops the machine, so that there is always a result.
pub(crate) fn get<T: Payload, R>(
    ddi: &'static str,
    handle: HANDLE,
    f: impl FnOnce(&mut T) -> R,
) -> R {
    match data(ddi, handle, f) {
        Some(result) => result,
        None => stale(ddi, handle),
    }
}

/// The object's parent, or null.
pub(crate) fn parent(handle: HANDLE) -> HANDLE {
    as_handle(with(|w| {
        w.objects.get(handle).map_or(0, |object| object.parent)
    }))
}

/// The context of a type, or null with a violation.
pub(crate) fn context(
    ddi: &'static str,
    object: HANDLE,
    info: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
) -> PVOID {
    check(ddi, object);
    let wanted = unique(info);
    let found = with(|w| {
        let object = w.objects.live.get_mut(&number(object))?;
        let context = object
            .contexts
            .iter_mut()
            .find(|context| context.info == wanted)?;
        Some(context.memory.as_mut_ptr().cast())
    });
    found.unwrap_or_else(|| {
        violation(
            Rule::ContextType,
            ddi,
            format!("{object:?} has no context of this type"),
        );
        core::ptr::null_mut()
    })
}

/// The object that a context belongs to.
pub(crate) fn owner_of_context(ddi: &'static str, context: PVOID) -> HANDLE {
    let address = context.addr();
    let found = with(|w| {
        let (start, (bytes, number)) = w.objects.context_owner.range(..=address).next_back()?;
        (address < start + bytes).then_some(*number)
    });
    match found {
        Some(number) => as_handle(number),
        None => fatal(
            Rule::ContextType,
            ddi,
            format!("{context:?} is no object's context"),
        ),
    }
}

/// Takes a reference.
pub(crate) fn reference(ddi: &'static str, handle: HANDLE) {
    check(ddi, handle);
    let dying = with(|w| {
        let object = w.objects.live.get_mut(&number(handle));
        object.is_some_and(|object| {
            object.references += 1;
            object.references == 1
        })
    });
    if dying {
        fatal(
            Rule::Reference,
            ddi,
            format!("{handle:?} is being destroyed: a reference comes too late"),
        );
    }
}

/// Gives a reference back; the last one destroys an object that was deleted.
pub(crate) fn dereference(ddi: &'static str, handle: HANDLE) {
    check(ddi, handle);
    let wrong = with(|w| {
        let object = w.objects.live.get_mut(&number(handle))?;
        if object.references == 1 && !object.deleted {
            return Some(());
        }
        object.references -= 1;
        None
    });
    if wrong.is_some() {
        fatal(
            Rule::Reference,
            ddi,
            format!("{handle:?} would lose the framework's own reference"),
        );
    }
    destroy_if_unreferenced(handle);
}

/// The driver deletes an object (WdfObjectDelete).
pub(crate) fn delete_by_driver(ddi: &'static str, handle: HANDLE) {
    check(ddi, handle);
    let (type_name, deletable, deleted) = with(|w| {
        let object = w.objects.get(handle).expect("checked above");
        (object.type_name, object.deletable, object.deleted)
    });
    if !deletable {
        fatal(
            Rule::Delete,
            ddi,
            format!("a {type_name} is the framework's to delete"),
        );
    }
    if deleted {
        fatal(
            Rule::Delete,
            ddi,
            format!("the {type_name} {handle:?} was deleted before"),
        );
    }
    delete(ddi, handle);
}

/// Deletes an object and its children, the farthest first.
pub(crate) fn delete(ddi: &'static str, handle: HANDLE) {
    check(ddi, handle);
    dispose(handle);
    with(|w| {
        if let Some(object) = w.objects.live.get_mut(&number(handle)) {
            object.references -= 1;
        }
    });
    destroy_if_unreferenced(handle);
}

fn dispose(handle: HANDLE) {
    let first = with(|w| {
        let object = w.objects.live.get_mut(&number(handle))?;
        if core::mem::replace(&mut object.deleted, true) {
            return None;
        }
        let parent = object.parent;
        if let Some(parent) = w.objects.live.get_mut(&parent) {
            parent.children.remove(&number(handle));
        }
        Some(())
    });
    if first.is_none() {
        return;
    }
    while let Some(child) = with(|w| {
        w.objects
            .get(handle)
            .and_then(|object| object.children.last().copied())
    }) {
        with(|w| {
            if let Some(object) = w.objects.live.get_mut(&number(handle)) {
                object.children.remove(&child);
            }
        });
        let deleted = with(|w| {
            w.objects
                .live
                .get(&child)
                .is_none_or(|object| object.deleted)
        });
        if !deleted {
            delete("framework", as_handle(child));
        }
    }
    let mut index = 0;
    while let Some(cleanup) = with(|w| {
        w.objects
            .get(handle)
            .and_then(|object| object.contexts.get(index).map(|context| context.cleanup))
    }) {
        if let Some(cleanup) = cleanup {
            // SAFETY: the driver's callback, with the object it was registered for.
            call_at("EvtCleanupCallback", 0, || unsafe { cleanup(handle) });
        }
        index += 1;
    }
    if let Some(cleanup) = with(|w| w.objects.get(handle).map(|object| object.cleanup)) {
        cleanup(handle);
    }
}

fn destroy_if_unreferenced(handle: HANDLE) {
    if with(|w| {
        w.objects
            .get(handle)
            .is_none_or(|object| object.references > 0)
    }) {
        return;
    }
    let mut index = 0;
    while let Some(destroy) = with(|w| {
        w.objects
            .get(handle)
            .and_then(|object| object.contexts.get(index).map(|context| context.destroy))
    }) {
        if let Some(destroy) = destroy {
            // SAFETY: the driver's callback, with the object it was registered for.
            call_at("EvtDestroyCallback", 0, || unsafe { destroy(handle) });
        }
        index += 1;
    }
    with(|w| {
        let Some(object) = w.objects.live.remove(&number(handle)) else {
            return;
        };
        for mut context in object.contexts {
            w.objects
                .context_owner
                .remove(&context.memory.as_ptr().addr());
            context.memory.fill(POISON);
            w.objects.quarantine.push_back(FreedContext {
                memory: context.memory,
                type_name: object.type_name,
                number: number(handle),
            });
        }
        while w.objects.quarantine.len() > 4096
            && let Some(mut oldest) = w.objects.quarantine.pop_front()
        {
            oldest.note(&mut w.objects.written_after_free);
        }
    });
}
