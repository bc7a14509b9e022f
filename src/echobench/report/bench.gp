# bench.gp: the ratio with its interval for each cell, and rate and CPU over connections, each as
# SVG and PNG. What stands above it comes from the run: the data $ratio and $load, label, the first
# part of the names of pictures (prefix), the numbers of cells and lines, and the numbers of
# connections, with blanks between.
height = 160 + 28 * cells
height = height < 2000 ? height : 2000
set label 1 label noenhanced at screen 0.01,0.02 font ',8'

set bmargin 5
set tmargin 3
set lmargin at screen 0.5
set label 2 'B / A with its interval; grey: A against A' at screen 0.01,screen 1 offset 0,-1
set xlabel 'ratio'
set yrange [measured - 0.5:-0.5]
set arrow 1 from 1, graph 0 to 1, graph 1 nohead dt 2
do for [format in "svg png"] {
	if (format eq "svg") {
		set terminal svg size 900,height noenhanced
	} else {
		set terminal pngcairo size 900,height noenhanced
	}
	set output prefix.'-ratio.'.format
	plot $ratio using 2:1:5:6 with xerrorbars lw 6 lc 'light-grey' pt 0 notitle, \
	     '' using 2:1:3:4:ytic(7) with xerrorbars lw 2 pt 7 lc 'navy' notitle
}

unset arrow
unset label 2
set autoscale y
set ytics auto
set logscale x
set lmargin 12
set tmargin 1
set format y '%.0s%c'
set key outside right samplen 2 font ',9'
set yrange [0:*]
set xlabel 'connections'
# a mark for every number of connections, and room beside the outer ones
set xtics ()
least = most = word(connections, 1) + 0
do for [n in connections] {
	set xtics add (n n + 0)
	least = n < least ? n + 0 : least
	most = n > most ? n + 0 : most
}
set xrange [least / 2.0:most * 2.0]
do for [format in lines > 0 ? "svg png" : ""] {
	if (format eq "svg") {
		set terminal svg size 900,700 noenhanced
	} else {
		set terminal pngcairo size 900,700 noenhanced
	}
	set output prefix.'-load.'.format
	set multiplot layout 2,1
	set ylabel 'echoes each second'
	plot for [i=0:lines - 1] $load index i using 1:2 with linespoints title columnheader(1)
	set ylabel 'CPU of the server, ns for a message'
	plot for [i=0:lines - 1] $load index i using 1:3 with linespoints title columnheader(1)
	unset multiplot
}
