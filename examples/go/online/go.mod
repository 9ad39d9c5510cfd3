module skewless.example/online

go 1.21
