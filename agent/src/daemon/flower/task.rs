//! The task that asks and writes, one port at a time, so that what is urgent never waits for more than one port.
//!
//! ```text
//!   Order::Port   ─▶ Kernel::bring    ─▶ Answer::Port
//!   Order::Device ─▶ Kernel::has_trap ─▶ Answer::Device
//! ```

use firsthop_asic::kernel::flower::{FlowerError, Kernel, Report, Wish};
use tokio::sync::mpsc;

use crate::chain;

/// What the task is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// The port is brought as near to the wish as possible.
    Port(Wish),
    /// Has this device (`BUS/DEVICE`) a trap for VRRP of its own?
    Device(String),
}

/// What became of it.
#[derive(Debug)]
pub(in crate::daemon) enum Answer {
    Port(Wish, Result<Report, FlowerError>),
    Device(String, Result<bool, String>),
}

/// The loop's end of the way to the task.
#[derive(Debug)]
pub(super) struct Task {
    orders: mpsc::UnboundedSender<Order>,
    answers: mpsc::UnboundedReceiver<Answer>,
    busy: bool,
}

impl Task {
    /// Starts the task; it opens its socket with the first order.
    pub(super) fn open() -> Self {
        let (order, orders) = mpsc::unbounded_channel();
        let (answer, answers) = mpsc::unbounded_channel();
        tokio::task::spawn_local(serve(orders, answer));
        Self { orders: order, answers, busy: false }
    }

    /// An order is under way; another one has to wait.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy
    }

    pub(super) fn order(&mut self, order: Order) {
        // The task ends only with the daemon.
        self.busy = self.orders.send(order).is_ok();
    }

    /// The answer to the order. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => {
                self.busy = false;
                answer
            }
            None => std::future::pending().await,
        }
    }
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Order>, answers: mpsc::UnboundedSender<Answer>) {
    let mut kernel = Kernel::default();
    while let Some(order) = orders.recv().await {
        let answer = match order {
            Order::Port(wish) => {
                let result = kernel.bring(&wish).await;
                Answer::Port(wish, result)
            }
            Order::Device(device) => {
                let result = kernel.has_trap(&device).await.map_err(|error| chain(&error));
                Answer::Device(device, result)
            }
        };
        // Nobody listens only when the daemon ends.
        answers.send(answer).ok();
    }
}
