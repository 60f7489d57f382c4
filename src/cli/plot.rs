//! Curves as SVG, for a report, and as dots, for a terminal.

use std::fmt::Write as _;
use std::path::Path;

use plotters::prelude::*;

/// Size of the picture in pixels.
const SIZE: (u32, u32) = (720, 480);
/// Colours that people with any kind of colour vision tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(110, 110, 110), RGBColor(0, 158, 115)];

/// What is drawn.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) curves: Vec<Curve>,
}

/// One curve: points in order of x.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// Lower ends of the points' intervals, shaded up to the points; empty for none.
    pub(super) lower: Vec<(f64, f64)>,
    /// A point that is marked.
    pub(super) mark: Option<(f64, f64)>,
}

impl Plot<'_> {
    /// The least and greatest value on an axis, with a little room.
    fn range(&self, of: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let points = self.curves.iter().flat_map(|curve| curve.points.iter().chain(&curve.lower));
        let values = points.map(of).filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return (0.0, 1.0);
        }
        let room = ((high - low) * 0.03).max(1e-6);
        (low - room, high + room)
    }

    /// Writes an SVG file.
    pub(super) fn write_svg(&self, path: &Path) -> Result<(), String> {
        let mut text = String::new();
        self.draw(&mut text).map_err(|error| format!("the plot cannot be drawn: {error}"))?;
        std::fs::write(path, text).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
    }

    fn draw(&self, text: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let ((x0, x1), (y0, y1)) = (self.range(|point| point.0), self.range(|point| point.1));
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        chart.configure_mesh().x_desc(self.x).y_desc(self.y).light_line_style(WHITE).draw()?;
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            if !curve.lower.is_empty() {
                let band: Vec<(f64, f64)> = curve.points.iter().chain(curve.lower.iter().rev()).copied().collect();
                chart.draw_series(std::iter::once(Polygon::new(band, colour.mix(0.15))))?;
            }
            chart
                .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(2)))?
                .label(curve.name.as_str())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
            if let Some(mark) = curve.mark {
                chart.draw_series(std::iter::once(Circle::new(mark, 5, colour.filled())))?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        drop(chart);
        drop(area);
        Ok(())
    }

    /// The curves in letters, `a` the first, a marked point as `*`.
    pub(super) fn dots(&self, width: usize, height: usize) -> String {
        let ((x0, x1), (y0, y1)) = (self.range(|point| point.0), self.range(|point| point.1));
        let mut cells = vec![vec![' '; width]; height];
        let mut put = |point: &(f64, f64), letter: char| {
            let share = |value: f64, low: f64, high: f64| ((value - low) / (high - low)).clamp(0.0, 1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small size")]
            let place = |share: f64, size: usize| (share * (size.saturating_sub(1)) as f64).round() as usize;
            let (column, row) = (place(share(point.0, x0, x1), width), place(1.0 - share(point.1, y0, y1), height));
            if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
                *cell = letter;
            }
        };
        // The first curve last, so that it lies on top.
        for (curve, letter) in self.curves.iter().zip('a'..='z').collect::<Vec<_>>().into_iter().rev() {
            curve.points.iter().for_each(|point| put(point, letter));
        }
        for curve in &self.curves {
            curve.mark.iter().for_each(|mark| put(mark, '*'));
        }
        let mut text = format!("{}\n", self.y);
        for (row, cells) in cells.iter().enumerate() {
            let value = y1 - (y1 - y0) * row as f64 / (height.saturating_sub(1).max(1)) as f64;
            let line: String = cells.iter().collect();
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{value:7.3} |{}", line.trim_end());
        }
        let _ = writeln!(text, "        +{}", "-".repeat(width));
        let _ = writeln!(text, "         {x0:<8.3}{:^1$}{x1:>8.3}", self.x, width.saturating_sub(16));
        for (curve, letter) in self.curves.iter().zip('a'..='z') {
            let _ = writeln!(text, "         {letter}  {}", curve.name);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot<'static> {
        let rising = (0..=10).map(|x| (f64::from(x), f64::from(x * x))).collect();
        let curve =
            |name: &str, points| Curve { name: name.to_owned(), points, lower: Vec::new(), mark: Some((5.0, 25.0)) };
        Plot { title: "t", x: "cost", y: "quality", curves: vec![curve("ours", rising), curve("none", Vec::new())] }
    }

    #[test]
    fn a_plot_is_a_well_formed_svg_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.svg");
        plot().write_svg(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        for word in ["quality", "cost", "ours"] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn dots_show_the_curve_from_its_lower_left_to_its_upper_right() {
        let dots = plot().dots(40, 10);
        let lines: Vec<&str> = dots.lines().collect();
        assert!(lines[1].trim_end().ends_with('a'), "{dots}");
        assert!(lines[10].contains("|") && lines[10].contains('a') && dots.contains('*'), "{dots}");
        Plot { curves: Vec::new(), ..plot() }.dots(0, 0);
    }
}
