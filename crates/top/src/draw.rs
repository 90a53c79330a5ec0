//! The screen: a title, the views, the table, and a line that says which keys there are.

use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::terminal::Frame;
use ratatui_core::text::{Line, Span};

use crate::page::{fit, others, texts};
use crate::screen::{KEYS, Screen};
use crate::table::Table;
use crate::views::View;
use crate::views::flows::By;

/// What a screen has to have: columns and rows.
pub const LEAST: (u16, u16) = (80, 24);

/// Draws it; without colours what matters is bold or reversed.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, has_colors: bool) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(frame, area);
    }
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ]);
    let [top, tabs, middle, bottom] = parts.areas(area);
    let style = Styles::new(has_colors);
    frame.render_widget(title(screen, &style, usize::from(top.width)), top);
    frame.render_widget(views(screen, &style), tabs);
    match screen.table() {
        _ if screen.is_helping => help(frame, middle, &style),
        Some(table) => rows(frame, middle, screen, table, &style),
        None => frame.render_widget(Line::raw("the first figures come after an interval"), middle),
    }
    frame.render_widget(footer(screen, &style), bottom);
}

struct Styles {
    heading: Style,
    chosen: Style,
    warning: Style,
    faint: Style,
}

impl Styles {
    fn new(has_colors: bool) -> Self {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let reversed = Style::new().add_modifier(Modifier::REVERSED);
        match has_colors {
            true => Self {
                heading: bold.fg(Color::Cyan),
                chosen: reversed.fg(Color::Cyan),
                warning: bold.fg(Color::Yellow),
                faint: Style::new().fg(Color::DarkGray),
            },
            false => Self { heading: bold, chosen: reversed, warning: bold, faint: Style::new() },
        }
    }
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let (columns, rows) = LEAST;
    let lines = [
        format!("{columns}x{rows} at least"),
        format!("this is {}x{}", area.width, area.height),
        "q ends".to_owned(),
    ];
    for (line, area) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(Line::raw(line), area);
    }
}

fn title<'a>(screen: &Screen, style: &Styles, width: usize) -> Line<'a> {
    let mut spans =
        vec![Span::styled("chandra top", style.heading), Span::raw(format!("  {}", screen.source))];
    if let Some(shown) = &screen.shown {
        let seconds = shown.length.as_secs_f64();
        spans.push(Span::raw(format!("  {}  last {seconds:.1}s", shown.at)));
        let losses =
            [(shown.losses.lost, "lost"), (shown.losses.unknown_totals, "of unknown beginning")];
        for (count, what) in losses.into_iter().filter(|(count, _)| *count > 0) {
            spans.push(Span::styled(format!("  {count} {what}"), style.warning));
        }
    }
    if screen.is_paused {
        spans.push(Span::styled("  HELD", style.warning));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    if used > width {
        // What matters most is in front.
        let text: String = spans.iter().map(|span| span.content.as_ref()).collect();
        return Line::raw(fit(&text, width, true));
    }
    Line::from(spans)
}

fn views<'a>(screen: &Screen, style: &Styles) -> Line<'a> {
    let mut spans = Vec::new();
    for (number, view) in (1..).zip(View::ALL) {
        let name = match view {
            View::Flows if screen.by == By::Connection => "flows by connection",
            _ => view.name(),
        };
        let chosen = if view == screen.view { style.chosen } else { Style::new() };
        spans.push(Span::styled(format!(" {number} {name} "), chosen));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

fn rows(frame: &mut Frame<'_>, area: Rect, screen: &Screen, table: &Table, style: &Styles) {
    let width = usize::from(area.width);
    let columns = table.fitting(width);
    let widths = table.widths(&columns, width);
    let mut lines = area.rows();
    let Some(heading) = lines.next() else { return };
    let sort = screen.sort();
    let mut spans = Vec::new();
    for (column, width) in columns.iter().zip(&widths) {
        let title = table.columns.get(*column).map_or("", |column| column.title);
        let is_sorted = *column == sort.column;
        let style = if is_sorted { style.chosen } else { style.heading };
        spans.push(Span::styled(fit(title, *width, table.is_name(*column)), style));
        spans.push(Span::raw(" "));
    }
    frame.render_widget(Line::from(spans), heading);
    let line = |texts: &[String]| {
        let cells = texts.iter().zip(&columns).zip(&widths);
        let cells = cells.map(|((text, column), width)| fit(text, *width, table.is_name(*column)));
        cells.collect::<Vec<_>>().join(" ")
    };
    let room = usize::from(area.height) - 1 - usize::from(table.others.is_some());
    let (shown, _) = screen.rows(room);
    for row in shown {
        let Some(area) = lines.next() else { return };
        frame.render_widget(Line::raw(line(&texts(row, &columns))), area);
    }
    if let (Some((row, count)), Some(area)) = (&table.others, lines.next()) {
        let texts = others(table, row, *count, &columns);
        frame.render_widget(Line::styled(line(&texts), style.faint), area);
    }
}

fn help(frame: &mut Frame<'_>, area: Rect, style: &Styles) {
    for ((keys, what), area) in KEYS.iter().zip(area.rows().skip(1)) {
        let line = Line::from(vec![
            Span::styled(format!("  {keys:<19}"), style.heading),
            Span::raw(*what),
        ]);
        frame.render_widget(line, area);
    }
}

fn footer<'a>(screen: &Screen, style: &Styles) -> Line<'a> {
    if screen.is_typing {
        return Line::from(vec![
            Span::styled("/", style.heading),
            Span::raw(screen.filter.clone()),
            Span::styled(" ", style.chosen),
            Span::styled("  Enter keeps it, Esc drops it", style.faint),
        ]);
    }
    let (_, count) = screen.rows(0);
    let filter = match screen.filter.as_str() {
        "" => String::new(),
        filter => format!("  with {filter:?} (Esc)"),
    };
    let keys = "  ? help  q end  1-5 view  ←→ sort  r reverse  / filter  Space hold";
    Line::from(vec![
        Span::styled(format!("{count} rows{filter}"), style.heading),
        Span::styled(keys, style.faint),
    ])
}

#[cfg(test)]
mod tests {
    use ratatui_core::backend::TestBackend;
    use ratatui_core::terminal::Terminal;

    use std::time::Duration;

    use super::*;
    use crate::screen::Key;
    use crate::{Fact, Watch, samples};

    fn drawn(screen: &Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, screen, false)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| -> String { (0..width).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
    }

    fn screen(by: By) -> Screen {
        let mut screen = Screen::new("kernel".into(), View::Flows, by);
        screen.show(samples::interval(by), "14:02:33".into());
        screen
    }

    /// As in the file of this name; with CHANDRA_BLESS set the file is written instead.
    fn is_golden(name: &str, drawn: &str) {
        let path = format!("{}/src/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("CHANDRA_BLESS").is_some() {
            std::fs::write(&path, drawn).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), drawn, "{path}");
    }

    #[test]
    fn every_view_on_a_small_and_on_a_large_screen() {
        let mut screen = screen(By::Pair);
        for view in View::ALL {
            for (width, height) in [(80, 24), (120, 40)] {
                let name = format!("{}-{width}x{height}", view.name());
                is_golden(&name, &drawn(&screen, width, height));
            }
            screen.press(Key::Tab);
        }
    }

    #[test]
    fn keys_change_the_screen() {
        let mut screen = screen(By::Connection);
        screen.press(Key::Char('?'));
        is_golden("help", &drawn(&screen, 80, 24));
        for character in "x5/shop".chars() {
            screen.press(Key::Char(character));
        }
        is_golden("typing", &drawn(&screen, 80, 24));
        screen.press(Key::Enter);
        screen.press(Key::Char('1'));
        screen.press(Key::Char(' '));
        is_golden("filtered-and-held", &drawn(&screen, 80, 24));
    }

    #[test]
    fn what_was_lost_and_what_fell_out_is_said() {
        let mut watch = Watch::new(2, By::Pair);
        for pid in 1..=5 {
            watch.take(&Fact::Exec { owner: &samples::owner(pid, "sh", Some("web-1")) });
        }
        watch.lose(7);
        let interval = watch.end_interval(Duration::from_secs(1), By::Pair);
        let mut screen =
            Screen::new("agent unix:///run/chandra/hubble.sock".into(), View::Processes, By::Pair);
        screen.show(interval, "14:02:33".into());
        is_golden("others", &drawn(&screen, 80, 24));
    }

    #[test]
    fn a_screen_that_is_too_small_says_so() {
        let screen = screen(By::Pair);
        assert_eq!(drawn(&screen, 79, 3), "80x24 at least\nthis is 79x3\nq ends\n");
        assert_eq!(drawn(&screen, 10, 1), "80x24 at l\n");
    }

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        let screen = screen(By::Pair);
        for has_colors in [false, true] {
            let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
            terminal.draw(|frame| draw(frame, &screen, has_colors)).unwrap();
            let cells = terminal.backend().buffer().content();
            let colored = cells.iter().filter(|cell| cell.fg != Color::Reset).count();
            assert_eq!(colored > 0, has_colors);
            let reversed = cells.iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED));
            assert!(reversed.count() > 0, "what is chosen shows without colours");
        }
    }
}
