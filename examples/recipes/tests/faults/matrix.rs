//! The page, read.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::panicking;
use std::time::Duration;

use disconnect_attribution::Disconnect;

use crate::lines::Lines;
use crate::peer::has;
use crate::site::Site;
use crate::words::words;

const PAGE: &str = include_str!("../../../../src/pages/faults.md");

/// The faults that every recipe is put to.
const COMMON: [&str; 7] = ["clean close", "killed", "reset", "idle timeout", "shutdown", "aborted", "panic"];

/// One recipe's cells: the rows of its section.
#[derive(Debug)]
pub(crate) struct Row {
    recipe: &'static str,
    cells: Vec<(&'static str, &'static str)>,
    checked: BTreeSet<&'static str>,
}

fn cells(row: &'static str) -> Vec<&'static str> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(str::trim).collect()
}

fn rows_under(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    PAGE.lines()
        .skip_while(move |line| line.strip_prefix("## ") != Some(heading))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault |"))
        .map(cells)
}

impl Row {
    #[track_caller]
    pub(crate) fn of(recipe: &'static str) -> Self {
        let rows: Vec<_> = rows_under(recipe).collect();
        let faults: Vec<_> = rows.iter().map(|row| row[0]).take(COMMON.len()).collect();
        assert_eq!(faults, COMMON, "{recipe}");
        let cells = rows.iter().map(|row| (row[0], row[1]));
        Self {
            recipe,
            // A fault that a recipe can't meet has a dash.
            cells: cells.filter(|(_, cell)| *cell != "-").collect(),
            checked: BTreeSet::new(),
        }
    }

    /// Whether a fault can happen.
    pub(crate) fn has(&self, fault: &str) -> bool {
        self.cells.iter().any(|(name, _)| *name == fault)
    }

    /// Holds an end against its cell, which may name two lines if the kernel decides between them.
    #[track_caller]
    pub(crate) fn check(&mut self, fault: &'static str, end: &Disconnect) {
        let words = words(end);
        let cell = self.cells.iter().find(|(name, _)| *name == fault);
        let (fault, cell) = cell.unwrap_or_else(|| panic!("no cell {fault:?}: {words}"));
        let expected: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(
            expected.contains(&words.as_str()),
            "{}, {fault}:\n     got {words}\nexpected {expected:#?}",
            self.recipe
        );
        self.checked.insert(fault);
    }

    /// Whether a program is there that some faults need, or all if none is named. If it is not, they are skipped.
    pub(crate) fn has_program(&mut self, program: &str, faults: &[&'static str]) -> bool {
        let has_program = has(program);
        if !has_program {
            eprintln!("{}, {faults:?}: skipped, needs {program}", self.recipe);
            assert!(std::env::var_os("ALL_PEERS").is_none(), "{program} is missing");
            self.checked.extend(faults);
            self.cells.retain(|_| !faults.is_empty());
        }
        has_program
    }
}

/// Fails if a cell was not run.
impl Drop for Row {
    fn drop(&mut self) {
        let left: Vec<_> = self.cells.iter().filter(|(fault, _)| !self.checked.contains(fault)).collect();
        assert!(left.is_empty() || panicking(), "{}: not run: {left:#?}", self.recipe);
    }
}

/// The rows of a connection and of what runs over it.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) connection: Row,
    pub(crate) over_it: Row,
}

impl Pair {
    /// Whether a program is there that all faults of both need. If it is not, they are skipped.
    pub(crate) fn have_program(&mut self, program: &str) -> bool {
        [&mut self.connection, &mut self.over_it].map(|row| row.has_program(program, &[])) == [true; 2]
    }

    /// Holds both lines of a site against their cells.
    #[track_caller]
    pub(crate) fn check(&mut self, fault: &'static str, site: &Site) {
        self.connection.check(fault, &site.connection());
        self.over_it.check(fault, &site.wait());
    }
}

impl Lines {
    /// Waits for the one line.
    #[track_caller]
    pub(crate) fn wait(&self) -> Disconnect {
        self.wait_for(1).remove(0)
    }

    /// Waits for as many lines.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Disconnect> {
        let mut lines = Vec::new();
        for _ in 0..5000 {
            lines.extend(self.take());
            if lines.len() >= count {
                assert_eq!(lines.len(), count, "{lines:#?}");
                return lines;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{} lines of {count}", lines.len());
    }
}

#[test]
fn every_recipe_of_the_page_is_opened_by_a_test() {
    let files = ["", "grpc"].into_iter().flat_map(|folder| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults").join(folder);
        std::fs::read_dir(folder).expect("tests").flatten()
    });
    let tests: String = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
    let recipes = PAGE.lines().filter_map(|line| line.strip_prefix("## "));
    let mut lines = 0;
    for recipe in recipes {
        let opened = format!("Row::of(\"{recipe}\")");
        assert!(tests.contains(&opened), "no test for {recipe:?}");
        lines += rows_under(recipe).filter(|row| row[1] != "-").count();
    }
    assert!(lines >= 200, "{lines} cells");
}
