//! How the spool stands at the moment that somebody asks: from memory, but for the room on its disk.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::api::app::App;
use crate::api::health::Disk;
use crate::api::mirror::{Entry, UNKNOWN, View};
use crate::config::Config;
use crate::spool::Time;
use crate::spool::status::State;

/// Figures by the value of one label.
type Labelled = Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>>;

/// What waits in a lane.
#[derive(Clone, Copy, Default)]
struct Waiting {
    jobs: usize,
    /// Of the job that has waited longest, in seconds.
    age: f64,
}

/// Puts in what is known of the spool, and of its disk if that answered.
pub(super) fn register(app: &App, disk: Option<&Disk>, registry: &mut Registry) {
    let view = app.mirror.view();
    register_jobs(&view, registry);
    register_queue(&view, &app.config, registry);
    let runner = &view.runner;
    registry.register("runner_up", "Whether the job runner lives", ConstGauge::new(i64::from(runner.up)));
    let paused = i64::from(runner.paused.is_some());
    registry.register("runner_paused", "Whether new jobs are paused", ConstGauge::new(paused));
    let age = view.last_full_look.elapsed().as_secs_f64();
    let help = "Time since this service last looked at all of the spool";
    registry.register_with_unit("spool_last_look_age", help, Unit::Seconds, ConstGauge::new(age));
    if let Some(Ok(space)) = disk.map(|disk| &disk.space) {
        let help = "Room that is left on the spool's disk for others than root";
        registry.register_with_unit("spool_free", help, Unit::Bytes, ConstGauge::new(space.available));
    }
}

fn register_jobs(view: &View, registry: &mut Registry) {
    let jobs = Labelled::default();
    for (state, count) in State::ALL.into_iter().zip(view.states()) {
        set(&jobs, "state", state.word(), as_figure(count));
    }
    registry.register("jobs", "Jobs that the spool knows", jobs);
}

fn register_queue(view: &View, config: &Config, registry: &mut Registry) {
    let (lengths, ages) = (Labelled::default(), Labelled::default());
    for (lane, waiting) in waiting(view, config, Time::now()) {
        set(&lengths, "lane", lane, as_figure(waiting.jobs));
        set(&ages, "lane", lane, waiting.age);
    }
    registry.register("queue_jobs", "Jobs in the queue", lengths);
    let help = "How long the job has waited that was submitted first of those in the queue; 0 if there is none";
    registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, ages);
}

/// By lane. Whether or not a runner is there to say so: a job waits in the lane of its type.
fn waiting<'a>(view: &View, config: &'a Config, now: Time) -> BTreeMap<&'a str, Waiting> {
    let mut lanes: BTreeMap<_, _> = config.lane_names().into_iter().map(|lane| (lane, Waiting::default())).collect();
    for (_, entry) in view.open() {
        let Entry::Queued(request) = entry else { continue };
        let lane = config.job_type(&request.job_type).map_or(UNKNOWN, |job_type| job_type.lane.as_str());
        let waiting = lanes.entry(lane).or_default();
        let age = now.as_seconds_f64() - request.submitted_at.as_seconds_f64();
        waiting.jobs += 1;
        waiting.age = waiting.age.max(age);
    }
    lanes
}

fn set(figures: &Labelled, label: &'static str, value: &str, figure: f64) {
    figures.get_or_create(&[(label, value.to_owned())]).set(figure);
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer jobs than 2^53")]
fn as_figure(count: usize) -> f64 {
    count as f64
}
