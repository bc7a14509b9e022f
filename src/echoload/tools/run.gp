# run.gp: three pictures above each other: throughput and latency over time, with outages shaded
# through both, and latency by percentile. What stands above it in the script comes from the run:
# the data $rate, $latency, $outages, $all and $outside, the times end and warmup in seconds, the
# number of messages, title, unit (of the rate: '', 'k', 'M'), svg and apart, which are 0 or 1, and
# the least and the greatest latency of intervals (low, high) and of messages (least, most), 0 where
# there is none. An axis that gnuplot is to scale needs two values that differ: of one it warns, and
# it ends where there is none.
if (svg) {
	set terminal svg size 900,720 font 'Helvetica,13' background '#ffffff'
} else {
	set terminal pngcairo size 1350,1080 font 'Sans,14' fontscale 1.05 linewidth 1.4 background '#ffffff'
}
set multiplot
set lmargin at screen 0.095
set rmargin at screen 0.975
set border 3 lc rgb '#808080'
set tics nomirror out scale 0.5 tc rgb '#404040'
set grid y lc rgb '#e4e4e4' lt 1 lw 1
set key noenhanced opaque samplen 1.5
set style fill noborder
set label 1000 title at screen 0.5, screen 0.965 center noenhanced tc rgb '#202020'

set xrange [0:end]
do for [i=1:|$outages|] {
	begins = word($outages[i], 1) + 0
	ends = word($outages[i], 2) + 0
	set object i rect from begins, graph 0 to ends, graph 1 behind fc rgb '#f6c9c4' fs solid 0.75 noborder
	set label i word($outages[i], 3) at (begins + ends) / 2, graph 1.07 center tc rgb '#a03028'
}
if (warmup > 0) {
	set object 900 rect from 0, graph 0 to warmup, graph 1 behind fc rgb '#ededed' fs solid 0.8 noborder
}
if (warmup > end / 12) {
	set label 900 'warm-up' at warmup / 2, graph 1.07 center tc rgb '#808080'
}
set label 901 'echoes/s' at screen 0.018, graph 0.5 center rotate tc rgb '#404040'
if (high > 0) {
	set yrange [0:*]
} else {
	set yrange [0:1]
}
set format y '%g'.unit
set format x ''
set tmargin at screen 0.895
set bmargin at screen 0.695
unset key
plot $rate u 1:2 w filledcurves y1=0 fc rgb '#9cc3e4' fs solid 0.8 noborder, \
     $rate u 1:2 w lines lc rgb '#1f5f9e' lw 1.8

unset label
set label 901 'latency' at screen 0.018, graph 0.5 center rotate tc rgb '#404040'
set tmargin at screen 0.655
set bmargin at screen 0.435
set format x '%g s'
set key at graph 0.99, graph 1.13 right top horizontal
if (high > 0) {
	set logscale y
	if (low < high) {
		set autoscale y
	} else {
		set yrange [low / 2:high * 2]
	}
	set format y '%.0s %cs'
	plot $latency u 1:($4/1e9) w lp pt 7 ps 0.35 lw 1.4 lc rgb '#c0392b' t 'max', \
	     '' u 1:($3/1e9) w lp pt 7 ps 0.35 lw 1.8 lc rgb '#e08e0b' t 'p99', \
	     '' u 1:($2/1e9) w lp pt 7 ps 0.35 lw 1.8 lc rgb '#2e8b57' t 'p50'
} else {
	unset ytics
	set label 902 'no echo came' at graph 0.5, graph 0.5 center tc rgb '#808080'
	plot NaN notitle
}
unset object

if (messages > 1) {
	unset label 902
	set logscale xy
	set xrange [1:messages]
	if (least < most) {
		set autoscale y
	} else {
		set yrange [least / 2:most * 2]
	}
	set ytics
	set format y '%.0s %cs'
	set tmargin at screen 0.345
	set bmargin at screen 0.085
	set format x
	set grid x y
	set xlabel 'percentile' tc rgb '#404040' offset 0,0.3
	set xtics ('0%%' 1, '50%%' 2, '90%%' 10, '99%%' 100, '99.9%%' 1e3, '99.99%%' 1e4, '99.999%%' 1e5, \
		'99.9999%%' 1e6, '99.99999%%' 1e7)
	set key at graph 0.99, graph 0.04 right bottom vertical
	plot $all u 1:($2/1e9) w lines lw 2 lc rgb '#c0392b' t 'all messages', \
	     for [i=1:apart] $outside u 1:($2/1e9) w lines lw 2 lc rgb '#2e8b57' t 'without the outage'
}
unset multiplot
