//! What is asked of the screen by keys: which view, in which order, which rows.

use crate::interval::Interval;
use crate::table::{Row, Sort, Table};
use crate::views::View;
use crate::views::flows::By;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Ctrl-C
    Interrupt,
    /// Enter
    Enter,
    /// Esc
    Escape,
    /// Tab
    Tab,
    /// Shift-Tab
    BackTab,
    /// Backspace
    Backspace,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first row.
    Home,
}

/// What follows from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The screen is drawn anew.
    Draw,
    /// It is over.
    Quit,
}

/// The keys, as the help lists them.
pub const KEYS: &[(&str, &str)] = &[
    ("1-5 Tab", "flows, workloads, processes, drops, signals"),
    ("Left Right", "sort by the column to the left or right"),
    ("r", "sort the other way round"),
    ("/", "only rows with a text; Enter keeps it, Esc drops it"),
    ("g", "flows by pair or by connection, from the next interval on"),
    ("Space", "hold the screen; counting goes on"),
    ("Up Down PgUp PgDn", "scroll; Home goes back up"),
    ("?", "this help; any key leaves it"),
    ("q Ctrl-C", "end"),
];

/// The longest text to look for.
const FILTER_CHARACTERS: usize = 64;
/// Rows of a page, as far as scrolling goes by them.
const PAGE_ROWS: usize = 10;

/// See the [module](self).
#[derive(Debug)]
pub struct Screen {
    /// What is looked at.
    pub view: View,
    /// Which rows are shown: those with this text.
    pub filter: String,
    /// The text is being typed.
    pub is_typing: bool,
    /// What is shown stays.
    pub is_paused: bool,
    /// The help is shown.
    pub is_helping: bool,
    /// Which connections count together from the next interval on.
    pub by: By,
    /// Where figures come from.
    pub source: String,
    /// The tables, one for each view; none before the first interval is over.
    tables: Vec<Table>,
    sorts: [Sort; 5],
    scrolled: usize,
    /// What the tables are of.
    pub shown: Option<Shown>,
}

/// What is told of an interval beside its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// When it ended: `14:02:33`.
    pub at: String,
    /// How long it was.
    pub length: std::time::Duration,
    /// What was not counted.
    pub losses: crate::interval::Losses,
    /// Which connections counted together.
    pub by: By,
}

impl Screen {
    /// A screen of figures from somewhere.
    pub fn new(source: String, view: View, by: By) -> Self {
        Self {
            view,
            filter: String::new(),
            is_typing: false,
            is_paused: false,
            is_helping: false,
            by,
            source,
            tables: Vec::new(),
            sorts: View::ALL.map(View::first_sort),
            scrolled: 0,
            shown: None,
        }
    }

    /// Takes an interval that ended, unless what is shown is to stay.
    pub fn show(&mut self, mut interval: Interval, at: String) {
        if self.is_paused {
            return;
        }
        self.tables = View::ALL.into_iter().map(|view| interval.table(view)).collect();
        let Interval { length, losses, by, .. } = interval;
        self.shown = Some(Shown { at, length, losses, by });
    }

    /// The table that is looked at.
    pub fn table(&self) -> Option<&Table> {
        self.tables.get(self.view.number())
    }

    /// How it is sorted.
    pub fn sort(&self) -> Sort {
        self.sorts.get(self.view.number()).copied().unwrap_or_else(|| self.view.first_sort())
    }

    /// Sorts what is looked at.
    pub fn sort_by(&mut self, sort: Sort) {
        self.change_sort(|now| *now = sort);
    }

    /// The rows that are shown, and how many there are in all, where so many fit.
    pub fn rows(&self, fit: usize) -> (Vec<&Row>, usize) {
        let rows = self.table().map(|table| table.chosen(&self.filter, self.sort()));
        let rows = rows.unwrap_or_default();
        let count = rows.len();
        let first = self.scrolled.min(count.saturating_sub(fit));
        (rows.into_iter().skip(first).take(fit).collect(), count)
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: Key) -> Action {
        match key {
            Key::Interrupt => return Action::Quit,
            _ if self.is_typing => self.type_filter(key),
            // Any key leaves the help.
            _ if self.is_helping => self.is_helping = false,
            Key::Char('q') => return Action::Quit,
            Key::Char('?' | 'h') => self.is_helping = true,
            Key::Char(' ') => self.is_paused = !self.is_paused,
            Key::Char('/') => self.is_typing = true,
            Key::Char('g') => {
                self.by = if self.by == By::Pair { By::Connection } else { By::Pair };
            }
            Key::Char('r') => {
                self.change_sort(|sort| sort.is_ascending = !sort.is_ascending);
            }
            Key::Char(digit @ '1'..='5') => {
                let number = digit as usize - '1' as usize;
                self.look_at(View::Flows.beside(number));
            }
            Key::Tab => self.look_at(self.view.beside(1)),
            Key::BackTab => self.look_at(self.view.beside(View::ALL.len() - 1)),
            Key::Left | Key::Char('<') => self.sort_beside(true),
            Key::Right | Key::Char('>') => self.sort_beside(false),
            Key::Up => self.scrolled = self.scrolled.saturating_sub(1),
            Key::Down => self.scroll_down(1),
            Key::PageUp => self.scrolled = self.scrolled.saturating_sub(PAGE_ROWS),
            Key::PageDown => self.scroll_down(PAGE_ROWS),
            Key::Home => self.scrolled = 0,
            Key::Escape => self.filter.clear(),
            Key::Char(_) | Key::Enter | Key::Backspace => {}
        }
        Action::Draw
    }

    fn look_at(&mut self, view: View) {
        (self.view, self.scrolled) = (view, 0);
    }

    /// Not beyond the last row, so that the way back up is no longer than the way down.
    fn scroll_down(&mut self, rows: usize) {
        let last = self.rows(usize::MAX).1.saturating_sub(1);
        self.scrolled = self.scrolled.saturating_add(rows).min(last);
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.is_typing = false,
            Key::Escape => {
                self.is_typing = false;
                self.filter.clear();
            }
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Char(character) if self.filter.chars().count() < FILTER_CHARACTERS => {
                self.filter.push(character);
            }
            _ => {}
        }
        self.scrolled = 0;
    }

    fn change_sort(&mut self, change: impl FnOnce(&mut Sort)) {
        if let Some(sort) = self.sorts.get_mut(self.view.number()) {
            change(sort);
        }
    }

    /// Sorts by the next shown column on one side, and round the end.
    fn sort_beside(&mut self, is_left: bool) {
        let columns = self.view.columns();
        let shown: Vec<_> = (0..columns.len())
            .filter(|at| columns.get(*at).is_some_and(|it| it.is_shown()))
            .collect();
        let at = shown.iter().position(|column| *column == self.sort().column).unwrap_or_default();
        let step = if is_left { shown.len().saturating_sub(1) } else { 1 };
        let next = shown.get((at + step).checked_rem(shown.len()).unwrap_or_default()).copied();
        // Names begin with the first letters, figures with the largest.
        let is_name = next.and_then(|next| columns.get(next)).is_some_and(|it| it.is_name);
        self.change_sort(|sort| {
            *sort = Sort { column: next.unwrap_or_default(), is_ascending: is_name };
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::value::Value;

    fn screen() -> Screen {
        let mut screen = Screen::new("here".into(), View::Flows, By::Pair);
        screen.show(samples::interval(By::Pair), "14:02:33".into());
        screen
    }

    fn destinations(screen: &Screen) -> Vec<String> {
        let (rows, _) = screen.rows(100);
        rows.iter().map(|row| row[2].shown()).collect()
    }

    fn type_text(screen: &mut Screen, text: &str) {
        for character in text.chars() {
            screen.press(Key::Char(character));
        }
    }

    #[test]
    fn views_go_round_and_keep_their_order() {
        let mut screen = screen();
        assert_eq!(screen.press(Key::Tab), Action::Draw);
        assert_eq!(screen.view, View::Workloads);
        screen.press(Key::BackTab);
        screen.press(Key::BackTab);
        assert_eq!(screen.view, View::Signals);
        screen.press(Key::Char('r'));
        assert!(screen.sort().is_ascending);
        screen.press(Key::Char('1'));
        assert!(!screen.sort().is_ascending);
        screen.press(Key::Char('5'));
        assert!(screen.sort().is_ascending);
    }

    #[test]
    fn rows_are_sorted_by_the_column_that_is_chosen() {
        let mut screen = screen();
        assert_eq!(destinations(&screen), ["shop/web-1", "10.0.0.53", "shop/web"]);
        screen.press(Key::Char('r'));
        assert_eq!(destinations(&screen), ["shop/web", "10.0.0.53", "shop/web-1"]);
        let column = |screen: &Screen| screen.view.columns()[screen.sort().column].title;
        assert_eq!(column(&screen), "SENT");
        screen.press(Key::Right);
        assert_eq!(column(&screen), "RECV");
        screen.press(Key::Left);
        screen.press(Key::Left);
        assert_eq!(column(&screen), "PORT");
        for _ in 0..3 {
            screen.press(Key::Left);
        }
        assert_eq!(column(&screen), "PROTO", "round the end and past what only JSON has");
        screen.press(Key::Left);
        assert_eq!(column(&screen), "DROPS");
    }

    #[test]
    fn a_filter_is_typed_kept_and_dropped() {
        let mut screen = screen();
        type_text(&mut screen, "/WEB-");
        assert_eq!(destinations(&screen), ["shop/web-1", "10.0.0.53"]);
        screen.press(Key::Backspace);
        screen.press(Key::Char('q'));
        assert_eq!(screen.filter, "WEBq", "what is typed is no key");
        screen.press(Key::Backspace);
        screen.press(Key::Enter);
        assert_eq!(destinations(&screen).len(), 3);
        screen.press(Key::Escape);
        assert_eq!(destinations(&screen).len(), 3);
        type_text(&mut screen, "/5432");
        assert_eq!(destinations(&screen), ["shop/web"], "ports are found, too");
        type_text(&mut screen, &"x".repeat(1000));
        assert_eq!(screen.filter.chars().count(), FILTER_CHARACTERS);
    }

    #[test]
    fn what_is_held_stays() {
        let mut screen = screen();
        screen.press(Key::Char(' '));
        screen.show(Interval::new(1, By::Pair), "14:02:34".into());
        assert_eq!(destinations(&screen).len(), 3);
        screen.press(Key::Char(' '));
        screen.show(Interval::new(1, By::Pair), "14:02:35".into());
        assert!(destinations(&screen).is_empty());
    }

    #[test]
    fn scrolling_ends_at_either_end() {
        let mut screen = screen();
        for _ in 0..10 {
            screen.press(Key::PageDown);
        }
        let (rows, count) = screen.rows(2);
        assert_eq!((rows.len(), count), (2, 3));
        assert_eq!(rows[1][6], Value::Number(5432));
        for _ in 0..3 {
            screen.press(Key::Up);
        }
        assert_eq!(screen.rows(2).0[0][6], Value::Number(80));
    }

    #[test]
    fn it_ends_when_asked_and_helps_until_any_key() {
        let mut screen = screen();
        screen.press(Key::Char('?'));
        assert!(screen.is_helping);
        assert_eq!(screen.press(Key::Char('q')), Action::Draw);
        assert!(!screen.is_helping);
        assert_eq!(screen.press(Key::Char('q')), Action::Quit);
        type_text(&mut screen, "/");
        assert_eq!(screen.press(Key::Interrupt), Action::Quit);
    }
}
