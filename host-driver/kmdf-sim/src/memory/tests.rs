//! Tests of memory and MDLs.

use super::*;
use crate::types::{MDL_MAPPED_TO_SYSTEM_VA, MDL_PAGES_LOCKED, MDL_WRITE_OPERATION, PMDL};

fn flags(mdl: PMDL) -> u32 {
    // SAFETY: the tests pass MDLs that live.
    unsafe { (*mdl).MdlFlags as u16 as u32 }
}

#[test]
fn frames_follow_the_layout_that_was_asked_for() {
    let mut memory = PhysicalMemory::new(7);
    let mut frames = |layout| {
        let id = memory
            .allocate(64 * PAGE_BYTES, &layout, MemoryUse::User)
            .unwrap();
        memory.frames(id).to_vec()
    };
    let consecutive = |frames: &[u64]| frames.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let shuffled = frames(PageLayout::Shuffled);
    assert!(!consecutive(&shuffled));
    assert!(shuffled.iter().all(|&frame| frame >= FIRST_FRAME_ABOVE_4G));
    let low = frames(PageLayout::ContiguousLow);
    assert!(consecutive(&low) && low[63] < FIRST_FRAME_ABOVE_4G);
    assert!(consecutive(&frames(PageLayout::Contiguous)));
    let captured: Vec<u64> = (0..64).map(|page| 0x1234_0000 + page * 3).collect();
    assert_eq!(frames(PageLayout::Frames(captured.clone())), captured);
    let again = memory.allocate(
        64 * PAGE_BYTES,
        &PageLayout::Frames(captured),
        MemoryUse::User,
    );
    assert_eq!(again, Err(MemoryError::FrameTaken(0x1234_0000)));
}

#[test]
fn addresses_and_frames_name_the_same_bytes() {
    let mut memory = PhysicalMemory::new(1);
    let id = memory
        .allocate(3 * PAGE_BYTES, &PageLayout::Shuffled, MemoryUse::User)
        .unwrap();
    let base = memory.base(id);
    let frames = memory.frames(id).to_vec();
    // SAFETY: the allocation has three pages.
    unsafe { base.add(PAGE_BYTES + 5).write(42) };
    let mut byte = [0];
    assert!(memory.read((frames[1] << PAGE_SHIFT) + 5, &mut byte));
    assert_eq!(byte, [42]);
    assert!(memory.write((frames[2] << PAGE_SHIFT) + 4095, &[9]));
    // SAFETY: as above.
    assert_eq!(unsafe { base.add(3 * PAGE_BYTES - 1).read() }, 9);
    assert_eq!(
        memory.frames_at(base as usize + 4000, 200).unwrap().0,
        &frames[..2]
    );
    assert!(
        memory
            .frames_at(base as usize + 4000, 3 * PAGE_BYTES)
            .is_none()
    );
    assert!(!memory.read(0x5000, &mut byte));
}

#[test]
fn writes_after_free_are_found_once() {
    let mut memory = PhysicalMemory::new(1);
    let id = memory
        .allocate(2 * PAGE_BYTES, &PageLayout::Contiguous, MemoryUse::Pool)
        .unwrap();
    let (base, frame) = (memory.base(id), memory.frames(id)[1]);
    assert_eq!(memory.free(id), Freed::Gone);
    assert_eq!(memory.free(id), Freed::Unknown);
    assert!(memory.take_writes_after_free().is_empty());
    // SAFETY: freed memory stays allocated in quarantine.
    unsafe { base.add(PAGE_BYTES + 17).write(1) };
    let found = memory.take_writes_after_free();
    assert_eq!(
        found,
        [WriteAfterFree {
            address: base as usize + PAGE_BYTES + 17,
            frame,
            kind: MemoryUse::Pool
        }]
    );
    assert!(memory.take_writes_after_free().is_empty());
}

#[test]
fn locked_pages_outlive_their_owner() {
    let mut memory = PhysicalMemory::new(1);
    let mut mdls = Mdls::default();
    let id = memory
        .allocate(2 * PAGE_BYTES, &PageLayout::Shuffled, MemoryUse::User)
        .unwrap();
    let mdl = mdls.create(memory.base(id) as usize, 2 * PAGE_BYTES as u64);
    mdls.lock(&mut memory, mdl, LockAccess::Write).unwrap();
    let frame = memory.frames(id)[0];
    assert_eq!(memory.free(id), Freed::Orphaned);
    assert!(
        memory.write(frame << PAGE_SHIFT, &[1]),
        "the device goes on writing"
    );
    assert_eq!(mdls.unlock(&mut memory, mdl, "IoCompleteRequest"), Ok(0));
    assert!(!memory.write(frame << PAGE_SHIFT, &[1]));
    assert_eq!(memory.unlocked_by(frame), Some("IoCompleteRequest"));
    assert_eq!(memory.locked_pages(), 0);
}

#[test]
fn a_buffer_committed_again_has_fresh_pages() {
    let mut memory = PhysicalMemory::new(1);
    let mut mdls = Mdls::default();
    let id = memory
        .allocate(PAGE_BYTES, &PageLayout::Shuffled, MemoryUse::User)
        .unwrap();
    let base = memory.base(id);
    let mdl = mdls.create(base as usize, PAGE_BYTES as u64);
    mdls.lock(&mut memory, mdl, LockAccess::Write).unwrap();
    let old = memory.frames(id)[0];
    memory.write(old << PAGE_SHIFT, &[5]);
    assert_eq!(
        memory.recommit(id, &PageLayout::Shuffled),
        Ok(Freed::Orphaned)
    );
    memory.write((old << PAGE_SHIFT) + 1, &[6]);
    // SAFETY: the allocation is live.
    assert_eq!(
        unsafe { (base.read(), base.add(1).read()) },
        (0, 0),
        "the application sees fresh pages"
    );
    let mut bytes = [0; 2];
    memory.read(old << PAGE_SHIFT, &mut bytes);
    assert_eq!(bytes, [5, 6]);
    mdls.unlock(&mut memory, mdl, "MmUnlockPages").unwrap();
    assert!(!memory.read(old << PAGE_SHIFT, &mut bytes));
    assert_ne!(memory.frames(id)[0], old);
}

#[test]
fn mdls_hold_what_drivers_read() {
    let mut memory = PhysicalMemory::new(3);
    let mut mdls = Mdls::default();
    let id = memory
        .allocate(4 * PAGE_BYTES, &PageLayout::Shuffled, MemoryUse::User)
        .unwrap();
    let address = memory.base(id) as usize + 100;
    let mdl = mdls.create(address, 2 * PAGE_BYTES as u64);
    mdls.lock(&mut memory, mdl, LockAccess::Write).unwrap();
    // SAFETY: the MDL lives, and three frame numbers follow it.
    let (header, frames) = unsafe {
        (
            *mdl,
            std::slice::from_raw_parts(mdl.add(1).cast::<u64>(), 3),
        )
    };
    assert_eq!(header.StartVa as usize + 100, address);
    assert_eq!((header.ByteCount, header.ByteOffset), (8192, 100));
    assert_eq!(frames, &memory.frames(id)[..3]);
    assert_eq!(flags(mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    assert_eq!(mdls.map(mdl).unwrap() as usize, address);
    assert_eq!(mdls.map(mdl), Err(MdlError::Mapped));
    assert_eq!(flags(mdl) & MDL_MAPPED_TO_SYSTEM_VA, 1);
    assert_eq!(
        mdls.lock(&mut memory, mdl, LockAccess::Read),
        Err(MdlError::Built)
    );
    let pieces = mdls.pieces(mdl, 3990, 200).unwrap().pieces;
    assert_eq!(
        pieces,
        [
            MdlPiece {
                frame: memory.frames(id)[0],
                from: 4090,
                to: 4096
            },
            MdlPiece {
                frame: memory.frames(id)[1],
                from: 0,
                to: 194
            }
        ]
    );
    assert_eq!(
        mdls.pieces(mdl, 8000, 200),
        Err(MdlError::OutOfBounds {
            offset: 8000,
            length: 200
        })
    );
    assert_eq!(
        memory.locks(frames[2]),
        [PageLock {
            mdl: mdl as usize,
            from: 0,
            to: 100,
            write: true
        }]
    );
    mdls.unlock(&mut memory, mdl, "MmUnlockPages").unwrap();
    assert_eq!(flags(mdl), 0);
    assert_eq!(mdls.free(&mut memory, mdl), Ok(false));
    assert_eq!(
        mdls.free(&mut memory, mdl),
        Err(MdlError::Unknown(mdl as usize))
    );
}

#[test]
fn mdls_have_limits() {
    let mut mdls = Mdls::default();
    assert!(mdls.create(0x1000, 0).is_null());
    assert!(mdls.create(0x1000, (1 << 32) - 4095).is_null());
    assert!(!mdls.create(0x1000, (1 << 32) - 4096).is_null());
}

#[test]
fn only_pool_is_built_without_locking() {
    let mut memory = PhysicalMemory::new(3);
    let mut mdls = Mdls::default();
    let user = memory
        .allocate(1, &PageLayout::Shuffled, MemoryUse::User)
        .unwrap();
    let pool = memory
        .allocate(1, &PageLayout::Contiguous, MemoryUse::Pool)
        .unwrap();
    let of_user = mdls.create(memory.base(user) as usize, 10);
    let of_pool = mdls.create(memory.base(pool) as usize, 10);
    assert!(matches!(
        mdls.build_for_pool(&mut memory, of_user, false),
        Err(MdlError::NotPool(_))
    ));
    mdls.build_for_pool(&mut memory, of_pool, false).unwrap();
    assert_eq!(mdls.system_address(of_pool), Some(memory.base(pool)));
    let mine = 0u64;
    let of_stack = mdls.create((&raw const mine) as usize, 8);
    assert!(matches!(
        mdls.build_for_pool(&mut memory, of_stack, false),
        Err(MdlError::NoMemory(_))
    ));
    // Pool of elsewhere has frames as long as its MDL.
    mdls.build_for_pool(&mut memory, of_stack, true).unwrap();
    let frame = mdls.frames(of_stack)[0];
    assert!(memory.page(frame).is_some());
    assert_eq!(mdls.free(&mut memory, of_stack), Ok(false));
    assert!(memory.page(frame).is_none());
}
