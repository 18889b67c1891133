//! What a seal and an open take from the heap: the bytes that they answer, and nothing else.
//!
//! Counted is Rust's allocator. Under suite 1 aws-lc also takes one block of C's heap for the state
//! of the derived key, and wipes it before it gives it back.
#![allow(unsafe_code)] // an allocator cannot be written without

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use strongroom_crypto::sealed::{self, ColumnId, Context, FieldKey, LogicalType, Suite};
use strongroom_crypto::secret::Secret;

/// The system's allocator, counting for each thread what it hands out.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it passes every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[test]
fn a_seal_and_an_open_allocate_what_they_answer_and_no_more() {
    for suite in [Suite::Xaes256Gcm, Suite::Aes256Gcm] {
        let key = FieldKey::new(&Secret::random(), suite, 1);
        for (row_len, value_len) in [(0, 0), (16, 16), (64, 1000), (199, 10_000)] {
            let (row, value) = (vec![7; row_len], vec![9; value_len]);
            let context = Context { store: [1; 16], column: ColumnId([2; 16]), row: &row, kind: LogicalType::Bytes };
            // The first draw of randomness on a thread makes its block, which is then filled again in place.
            let sealed = sealed::seal(&key, &context, &value);
            for _ in 0..500 {
                assert_eq!(allocations(|| sealed::seal(&key, &context, &value)), 1, "{suite:?} {row_len} {value_len}");
                assert_eq!(allocations(|| sealed::open(&key, &context, &sealed)), 1, "{suite:?} {row_len} {value_len}");
            }
        }
    }
}

#[test]
fn what_allocates_is_counted() {
    assert_eq!(allocations(|| vec![1; 10]), 1);
    assert_eq!(allocations(|| [1; 10]), 0);
}

fn allocations<T>(run: impl FnOnce() -> T) -> usize {
    let before = COUNT.get();
    let kept = std::hint::black_box(run());
    let count = COUNT.get() - before;
    drop(kept);
    count
}
