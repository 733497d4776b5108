use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;

/// Runs to the end; begin and end of every activity.
fn times(cpus: &mut Cpus, activities: Vec<Activity>) -> Vec<(Picoseconds, Picoseconds)> {
    let mut times = vec![(0, 0); activities.len()];
    for activity in activities {
        cpus.request(activity).unwrap();
    }
    while let Some(event) = cpus.next(Picoseconds::MAX) {
        match event.what {
            Happened::Begun => times[event.id.0].0 = event.at_ps,
            Happened::Finished => times[event.id.0].1 = event.at_ps,
        }
    }
    times
}

fn cpus(count: usize) -> Cpus {
    Cpus::new(count, 1, 0).unwrap()
}

fn thread(work: Picoseconds) -> Activity {
    Activity::new(Context::Application, "call", work)
}

fn worker(work: Picoseconds) -> Activity {
    Activity::new(Context::Worker, "prepare", work)
}

fn dpc(at: Picoseconds, work: Picoseconds) -> Activity {
    Activity::new(Context::Dpc, "dpc", work).on(0).ready_at(at)
}

fn isr(at: Picoseconds, work: Picoseconds) -> Activity {
    Activity::new(Context::Isr, "isr", work).on(0).ready_at(at)
}

#[test]
fn interrupts_begin_at_once_and_steal_time_from_the_thread() {
    let mut cpus = cpus(1);
    let times = times(&mut cpus, vec![thread(100), isr(30, 5), dpc(35, 20)]);
    assert_eq!(times, [(0, 125), (30, 35), (35, 55)]);
    let spans: Vec<_> = cpus
        .spans()
        .iter()
        .map(|s| (s.name, s.start_ps, s.end_ps))
        .collect();
    assert_eq!(
        spans,
        [
            ("call", 0, 30),
            ("isr", 30, 35),
            ("dpc", 35, 55),
            ("call", 55, 125)
        ]
    );
}

#[test]
fn interrupt_of_another_cpu_steals_nothing() {
    let times = times(&mut cpus(2), vec![thread(100).on(1), isr(30, 5)]);
    assert_eq!(times, [(0, 100), (30, 35)]);
}

#[test]
fn isr_interrupts_a_dpc_and_waits_for_an_isr() {
    let times = times(&mut cpus(1), vec![dpc(0, 50), isr(10, 10), isr(15, 10)]);
    assert_eq!(times, [(0, 70), (10, 20), (20, 30)]);
}

#[test]
fn dpcs_run_in_the_order_of_their_arrival() {
    let times = times(
        &mut cpus(1),
        vec![isr(0, 10), dpc(8, 10), dpc(5, 10), isr(25, 1)],
    );
    assert_eq!(times, [(0, 10), (20, 31), (10, 20), (25, 26)]);
}

#[test]
fn thread_at_dispatch_delays_dpcs_but_not_isrs() {
    let times = times(
        &mut cpus(1),
        vec![worker(100).at_dispatch(), isr(30, 5), dpc(35, 20)],
    );
    assert_eq!(times, [(0, 105), (30, 35), (105, 125)]);
}

#[test]
fn thread_at_dispatch_still_waits_its_turn_to_begin() {
    let times = times(
        &mut cpus(1),
        vec![thread(50), worker(10).at_dispatch().ready_at(5)],
    );
    assert_eq!(times, [(0, 50), (50, 60)]);
}

#[test]
fn one_cpu_serialises_what_two_run_side_by_side() {
    let work = || vec![thread(100), worker(60), isr(10, 5)];
    assert_eq!(
        times(&mut cpus(1), work()),
        [(0, 105), (105, 165), (10, 15)]
    );
    assert_eq!(times(&mut cpus(2), work()), [(0, 105), (0, 60), (10, 15)]);
}

#[test]
fn pinned_thread_waits_for_its_cpu() {
    let times = times(
        &mut cpus(2),
        vec![thread(100).on(0), worker(10).on(0), worker(10)],
    );
    assert_eq!(times, [(0, 100), (100, 110), (0, 10)]);
}

#[test]
fn work_without_duration_still_happens() {
    assert_eq!(
        times(&mut cpus(1), vec![thread(0).ready_at(7), isr(7, 0)]),
        [(7, 7), (7, 7)]
    );
}

#[test]
fn answers_to_an_event_begin_at_its_time() {
    let mut cpus = cpus(1);
    cpus.request(isr(100, 10)).unwrap();
    let mut ends = Vec::new();
    while let Some(event) = cpus.next(Picoseconds::MAX) {
        if event.what == Happened::Finished {
            ends.push(event.at_ps);
            if cpus.activity(event.id).context == Context::Isr {
                cpus.request(dpc(event.at_ps, 20)).unwrap();
            }
        }
    }
    assert_eq!(ends, [110, 130]);
}

#[test]
fn time_stops_where_it_was_asked_to() {
    let mut cpus = cpus(1);
    cpus.request(thread(100)).unwrap();
    assert_eq!(cpus.next(50).unwrap().what, Happened::Begun);
    assert_eq!(cpus.next(50), None);
    assert_eq!((cpus.now_ps(), cpus.next_change()), (50, Some(100)));
    // Asked for in the past: begins now.
    cpus.request(isr(20, 5)).unwrap();
    assert_eq!(cpus.next(60).map(|e| e.at_ps), Some(50));
    assert_eq!(cpus.next(60).map(|e| e.at_ps), Some(55));
    assert_eq!(cpus.next(104), None);
    assert_eq!(cpus.next(105).map(|e| e.what), Some(Happened::Finished));
    assert_eq!(cpus.next_change(), None);
}

#[test]
fn threads_take_turns_at_points_that_the_seed_draws() {
    let run = |seed| {
        let mut cpus = Cpus::new(1, seed, 100).unwrap();
        times(&mut cpus, vec![thread(1000), worker(1000)]);
        cpus.spans().to_vec()
    };
    let spans = run(1);
    assert!(spans.len() > 10, "{spans:?}");
    assert!(
        spans
            .windows(2)
            .all(|pair| pair[0].id != pair[1].id || pair[0].end_ps >= 1000)
    );
    let turns = spans
        .iter()
        .take(10)
        .map(|span| span.end_ps - span.start_ps);
    assert!(
        turns.clone().all(|turn| (50..=150).contains(&turn)),
        "{spans:?}"
    );
    assert!(turns.clone().min() < turns.max());
    assert_eq!(spans, run(1));
    assert_ne!(spans, run(2));
}

#[test]
fn lone_thread_is_not_cut() {
    let mut cpus = Cpus::new(1, 1, 100).unwrap();
    assert_eq!(times(&mut cpus, vec![thread(1000)]), [(0, 1000)]);
    assert_eq!(cpus.spans().len(), 1);
}

#[test]
fn what_cannot_be_is_an_error() {
    assert_eq!(Cpus::new(0, 1, 0).unwrap_err(), CpuError::NoCpus);
    let mut cpus = cpus(2);
    let error = cpus.request(thread(1).on(2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "call wants CPU 2, but the host has 2; use one from 0 to 1"
    );
    cpus.request(thread(u64::MAX - 10)).unwrap();
    let error = cpus.request(worker(11)).unwrap_err();
    assert_eq!(error, CpuError::Overflow { name: "prepare" });
}

fn activities(cpus: usize) -> impl Strategy<Value = Vec<Activity>> {
    let context = prop_oneof![
        Just(Context::Application),
        Just(Context::Worker),
        Just(Context::Dpc),
        Just(Context::Isr),
    ];
    let affinity = prop_oneof![Just(Affinity::Any), (0..cpus).prop_map(Affinity::Cpu)];
    let one = (context, affinity, 0_u64..500, 0_u64..100, any::<bool>());
    let one = one.prop_map(|(context, affinity, ready_ps, work_ps, dispatch)| {
        let activity = Activity {
            affinity,
            ready_ps,
            ..Activity::new(context, "x", work_ps)
        };
        if dispatch {
            activity.at_dispatch()
        } else {
            activity
        }
    });
    prop::collection::vec(one, 0..30)
}

proptest! {
    #[test]
    fn rules_hold_for_any_load(
        (count, load) in (1_usize..4).prop_flat_map(|count| (Just(count), activities(count))),
        seed in any::<u64>(),
        quantum in 0_u64..60,
    ) {
        let mut cpus = Cpus::new(count, seed, quantum).unwrap();
        let times = times(&mut cpus, load.clone());
        let spans = cpus.spans();
        for (index, activity) in load.iter().enumerate() {
            let mine: Vec<_> = spans.iter().filter(|span| span.id.0 == index).collect();
            let ran: u64 = mine.iter().map(|span| span.end_ps - span.start_ps).sum();
            prop_assert_eq!(ran, activity.work_ps, "no work is lost or done twice");
            prop_assert!(times[index].0 >= activity.ready_ps);
            prop_assert!(times[index].1 >= times[index].0 + activity.work_ps);
            if let Affinity::Cpu(cpu) = activity.affinity {
                prop_assert!(mine.iter().all(|span| span.cpu == cpu));
            }
            if activity.level >= Level::Device {
                prop_assert!(mine.len() <= 1, "nothing interrupts an ISR");
            }
        }
        for cpu in 0..count {
            let mut mine: Vec<_> = spans.iter().filter(|span| span.cpu == cpu).collect();
            mine.sort_by_key(|span| span.start_ps);
            prop_assert!(mine.windows(2).all(|pair| pair[0].end_ps <= pair[1].start_ps));
        }
        // An ISR that is ready on its CPU never waits for anything but other ISRs.
        for (index, activity) in load.iter().enumerate() {
            let (Context::Isr, Affinity::Cpu(cpu)) = (activity.context, activity.affinity) else { continue };
            let waited = spans.iter().filter(|span| {
                span.cpu == cpu && span.start_ps < times[index].0 && span.end_ps > activity.ready_ps
            });
            prop_assert!(waited.clone().all(|span| span.context == Context::Isr));
        }
        let mut again = Cpus::new(count, seed, quantum).unwrap();
        self::times(&mut again, load);
        prop_assert_eq!(again.spans(), cpus.spans());
    }
}
