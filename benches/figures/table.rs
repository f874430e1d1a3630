//! Cases in rows and columns.

use std::time::Duration;

use crate::case::{Case, Counted};

pub(crate) struct Row {
    pub(crate) name: String,
    cases: Vec<Case>,
}

impl Row {
    pub(crate) fn new(name: &str, cases: impl IntoIterator<Item = Case>) -> Self {
        Self {
            name: name.to_owned(),
            cases: cases.into_iter().collect(),
        }
    }

    pub(crate) fn counted(mut self, counted: Counted) -> Self {
        self.cases = self
            .cases
            .into_iter()
            .map(|case| case.counted(counted))
            .collect();
        self
    }
}

pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) what: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) ratios: Vec<(&'static str, &'static str)>,
    /// How often each case takes its turn, and for how long at least.
    pub(crate) rounds: u32,
    pub(crate) batch: Duration,
    /// The median is the time, not the least.
    pub(crate) is_typical: bool,
    columns_apart: bool,
    pub(crate) has_steps: bool,
}

impl Table {
    pub(crate) fn new(
        title: &'static str,
        what: &'static str,
        columns: impl Into<Vec<&'static str>>,
        rows: Vec<Row>,
    ) -> Self {
        Self {
            title,
            what,
            columns: columns.into(),
            rows,
            ratios: Vec::new(),
            rounds: 2000,
            // Long enough for a reading of the clock not to show, short enough to run between interruptions.
            batch: Duration::from_micros(50),
            is_typical: false,
            columns_apart: false,
            has_steps: false,
        }
    }

    /// Prints how many of the second row the first one takes.
    pub(crate) fn with_ratios(
        mut self,
        ratios: impl Into<Vec<(&'static str, &'static str)>>,
    ) -> Self {
        self.ratios = ratios.into();
        self
    }

    pub(crate) fn with_columns_apart(mut self) -> Self {
        self.columns_apart = true;
        self
    }

    pub(crate) fn id(&self, row: &str, column: usize) -> String {
        format!("{}/{row}/{}", self.title, self.columns[column])
    }

    /// Prints beside a row that begins with a plus how much more it takes than the one above.
    pub(crate) fn with_steps(mut self) -> Self {
        self.has_steps = true;
        self
    }

    /// For threads: they take a while to start, and at best they do not meet.
    pub(crate) fn with_threads(mut self) -> Self {
        (self.batch, self.rounds) = (Duration::from_millis(5), 100);
        self.is_typical = true;
        self
    }

    /// Each case under its name, column by column.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (String, &Case)> {
        let cell = move |column| {
            let rows = self.rows.iter();
            rows.map(move |row| (self.id(&row.name, column), &row.cases[column]))
        };
        (0..self.columns.len()).flat_map(cell)
    }

    /// What is timed in one loop: each column on its own, or all.
    pub(crate) fn taking_turns<'c, 'a>(
        &self,
        cases: &'c [(String, &'a Case)],
    ) -> Vec<&'c [(String, &'a Case)]> {
        let column = |id: &str| id.rsplit('/').next().map(str::to_owned);
        if self.columns_apart {
            cases
                .chunk_by(|(one, _), (other, _)| column(one) == column(other))
                .collect()
        } else {
            vec![cases]
        }
    }
}
