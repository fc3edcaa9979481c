module jiyun.io/lab/pods

go 1.26.0
