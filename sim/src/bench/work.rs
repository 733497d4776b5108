//! Runs jobs on as many threads as there are cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Context, Error, Job, Row};

/// How far the work is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Part that is done, 0 to 1.
    pub share: f64,
    /// The job that has just begun or ended.
    pub job: &'a str,
    /// It has ended.
    pub is_end: bool,
}

/// What a job gave.
type Slot = Mutex<Option<Result<Vec<Row>, Error>>>;

/// Runs all jobs. The rows are in the jobs' order; errors name their jobs, and do not keep the others from their ends.
pub fn work(
    jobs: &[Job],
    context: &Context<'_>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> (Vec<Row>, Vec<String>) {
    let slots: Vec<Slot> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let total: f64 = jobs.iter().map(|job| job.weight).sum();
    let done = Mutex::new(0.0);
    let run = |index: usize| {
        if context.cancel.load(Ordering::Relaxed) {
            return;
        }
        let job = &jobs[index];
        let name = format!("{}: {}", job.measurement, job.label);
        let share = |add: f64| {
            let mut done = lock(&done);
            *done += add;
            *done / total
        };
        progress(Progress {
            share: share(0.0),
            job: &name,
            is_end: false,
        });
        *lock(&slots[index]) = Some((job.work)(context));
        progress(Progress {
            share: share(job.weight),
            job: &name,
            is_end: true,
        });
    };

    // The longest first, so that no core waits for one long job at the end.
    let mut order: Vec<usize> = (0..jobs.len())
        .filter(|&index| !jobs[index].alone)
        .collect();
    order.sort_by(|&a, &b| jobs[b].weight.total_cmp(&jobs[a].weight));
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(order.len()) {
            scope.spawn(|| {
                while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(index);
                }
            });
        }
    });
    (0..jobs.len())
        .filter(|&index| jobs[index].alone)
        .for_each(run);

    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for (job, slot) in jobs.iter().zip(slots) {
        match slot
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner())
        {
            Some(Ok(found)) => rows.extend(found),
            Some(Err(error)) => errors.push(format!("{}: {}: {error}", job.measurement, job.label)),
            None => {}
        }
    }
    (rows, errors)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::row::Point;
    use super::*;
    use crate::device::Tools;

    #[test]
    fn rows_keep_the_order_of_jobs_and_errors_do_not_stop_others() {
        let job = |index: u32| {
            Job::new("m", format!("job {index}"), f64::from(index), move |_| {
                if index == 2 {
                    return Err(Error::Wrong(7));
                }
                let conditions = super::super::Conditions::default();
                Ok(Point::new("m", conditions)
                    .figure("f", f64::from(index), "x")
                    .rows())
            })
        };
        let mut jobs: Vec<Job> = (0..6).map(job).collect();
        jobs[1].alone = true;
        let tools = Tools {
            processor: "none".into(),
            firmware: "none".into(),
            elf: None,
        };
        let cancel = AtomicBool::new(false);
        let shares = Mutex::new(Vec::new());
        let context = Context {
            tools: &tools,
            cancel: &cancel,
            quick: false,
            peers: None,
        };
        let show = |now: Progress<'_>| lock(&shares).push(now.share);
        let (rows, errors) = work(&jobs, &context, &show);
        let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [0.0, 1.0, 3.0, 4.0, 5.0]);
        assert_eq!(errors, ["m: job 2: 7 payload bytes arrived wrong"]);
        let last = shares.into_inner().unwrap().pop().unwrap();
        assert!((last - 1.0).abs() < 1e-9, "{last}");
    }
}
