//! Runs a story under all schedules with few preemptions, and under random ones.

use std::env;
use std::real::sync::{Mutex, PoisonError};
use std::sync::Arc;
use std::time::Instant;

use shuttle::scheduler::{RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, Runner};

/// So many of all stories' schedules may preempt anywhere.
const RANDOM: usize = 5_000;

/// The library has one lock for a whole process, and a model owns it while it runs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Explores stories, and prints what that took. `TEST_SIZE=100` runs a hundred times as many random schedules.
pub(crate) fn explore<S: Fn() + Send + Sync + 'static>(
    name: &str,
    preemptions: usize,
    stories: impl IntoIterator<Item = S>,
) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let size = env::var("TEST_SIZE").map_or(1, |size| size.parse().expect("a number"));
    let start = Instant::now();
    let stories: Vec<_> = stories.into_iter().map(Arc::new).collect();
    let count = stories.len();
    let few = || Few { preemptions, choices: Vec::new(), step: 0, left: 0 };
    let all: usize = stories.iter().map(|story| run(few(), story)).sum();
    let more = || RandomScheduler::new((RANDOM * size).div_ceil(count));
    let random: usize = stories.iter().map(|story| run(more(), story)).sum();
    let seconds = start.elapsed().as_secs_f32();
    println!(
        "{name}: {count} stories, {all} schedules with up to {preemptions} preemptions and {random} random ones in \
         {seconds:.1} s"
    );
}

fn run<S: Fn() + Send + Sync + 'static>(scheduler: impl Scheduler + 'static, story: &Arc<S>) -> usize {
    let mut config = Config::new();
    config.silence_warnings = true; // of atomics that are ordered less than these are
    let story = Arc::clone(story);
    Runner::new(scheduler, config).run(move || story())
}

/// All schedules that take a thread which could go on off at most so many times, depth first.
struct Few {
    preemptions: usize,
    /// What was chosen at each step, of how many.
    choices: Vec<(usize, usize)>,
    step: usize,
    left: usize,
}

impl Scheduler for Few {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.step > 0 {
            while self.choices.pop_if(|(chosen, of)| *chosen + 1 == *of).is_some() {}
            self.choices.last_mut()?.0 += 1;
        }
        (self.step, self.left) = (0, self.preemptions);
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, ready: &[&Task], current: Option<TaskId>, _: bool) -> Option<TaskId> {
        let mut ready: Vec<TaskId> = ready.iter().map(|task| task.id()).collect();
        let goes_on = ready.iter().position(|id| Some(*id) == current);
        if let Some(place) = goes_on {
            ready.swap(0, place);
            if self.left == 0 {
                ready.truncate(1);
            }
        }
        if self.step == self.choices.len() {
            self.choices.push((0, ready.len()));
        }
        let (chosen, of) = self.choices[self.step];
        assert_eq!(of, ready.len(), "a story that is not the same each time");
        self.step += 1;
        self.left -= usize::from(goes_on.is_some() && chosen > 0);
        Some(ready[chosen])
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("no story has random values")
    }
}
